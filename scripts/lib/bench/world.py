"""The measured world: twenty varied services, written once for ipaictl, Compose and Ansible."""

import json
import os
import pathlib
import subprocess

SERVICES = 20


def service(index):
    """One of the twenty; they vary in what a comparison has to look at."""
    body = {
        "image": "ipaictl/busybox:1" if index % 3 else "ipaictl/web:1",
        "restart": "unless-stopped",
        "environment": {f"SETTING_{n}": f"value-{index}-{n}" for n in range(4 + index % 5)},
        "labels": {"com.example.service": f"s{index}", "com.example.team": "erp"},
        "stop_grace_period": "2s",
    }
    if index % 3:
        body["command"] = ["/bin/pause"]
    if index % 4 == 0:
        body["mem_limit"] = "64m"
    if index % 5 == 0:
        body["ports"] = [f"127.0.0.1:{19000 + index}:8080"]
    if index % 6 == 0:
        body["volumes"] = ["data:/data"]
    if index % 7 == 0:
        body["cap_drop"] = ["NET_RAW"]
    return body


def compose_file():
    return {
        "services": {f"s{index:02}": service(index) for index in range(SERVICES)},
        "volumes": {"data": {}},
    }


def write_compose(folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "compose.yaml"
    path.write_text(json.dumps(compose_file(), indent=1))
    return path


def write_state(folder, project):
    """A state repository with one host and the stack; returns its path."""
    (folder / "desired-state").mkdir(parents=True, exist_ok=True)
    write_compose(folder)
    (folder / "desired-state" / "all.yaml").write_text(f"""\
apiVersion: ipai.dev/v1alpha1
kind: Host
metadata: {{name: local}}
spec:
  engine: {{endpoint: "unix:///var/run/docker.sock"}}
---
apiVersion: ipai.dev/v1alpha1
kind: Stack
metadata: {{name: bench}}
spec:
  host: local
  compose: {{files: [compose.yaml], project: {project}}}
""")
    git = ["git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "feat: twenty services"], check=True)
    return folder


def write_playbook(folder):
    """The same services for Ansible's docker_container."""
    tasks = [
        {"community.docker.docker_network": {"name": "bench-ansible"}},
        {"community.docker.docker_volume": {"name": "bench-ansible-data"}},
    ]
    for index in range(SERVICES):
        body = service(index)
        container = {
            "name": f"bench-ansible-s{index:02}",
            "image": body["image"],
            "pull": False,
            "state": "started",
            "restart_policy": body["restart"],
            "env": body["environment"],
            "labels": body["labels"],
            "networks": [{"name": "bench-ansible"}],
            "network_mode": "bench-ansible",
            "comparisons": {"networks": "allow_more_present"},
        }
        if "command" in body:
            container["command"] = body["command"]
        if "mem_limit" in body:
            container["memory"] = body["mem_limit"]
        if "ports" in body:
            container["published_ports"] = body["ports"]
        if "volumes" in body:
            container["volumes"] = ["bench-ansible-data:/data"]
        tasks.append({"community.docker.docker_container": container})
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    path = folder / "play.yaml"
    path.write_text(json.dumps(play, indent=1))
    return path


def docker(*argv, check=True):
    return subprocess.run(["docker", *argv], check=check, capture_output=True, text=True).stdout


def remove_project(project):
    """Removes all that a benchmark made; the names are the benchmark's own."""
    for sort, remove in (("ps -aq", ["rm", "-fv"]), ("network ls -q", ["network", "rm"]), ("volume ls -q", ["volume", "rm"])):
        found = docker(*sort.split(), "--filter", f"label=com.docker.compose.project={project}").split()
        if found:
            docker(*remove, *found, check=False)


def remove_ansible():
    found = docker("ps", "-aq", "--filter", "name=^bench-ansible-").split()
    if found:
        docker("rm", "-fv", *found, check=False)
    docker("network", "rm", "bench-ansible", check=False)
    docker("volume", "rm", "bench-ansible-data", check=False)


def ids(project):
    return docker("ps", "-q", "--no-trunc", "--filter", f"label=com.docker.compose.project={project}").split()


def documents(folder, count, per_file=100):
    """Many resource documents over many files, for `validate`."""
    state = folder / "desired-state"
    state.mkdir(parents=True, exist_ok=True)
    for start in range(0, count, per_file):
        text = []
        for index in range(start, min(start + per_file, count)):
            text.append(f"""\
apiVersion: ipai.dev/v1alpha1
kind: Host
metadata: {{name: host-{index}, labels: {{team: erp}}}}
spec:
  address: 10.0.{index // 250}.{index % 250}
  aliases: [alias-{index}]
  engine: {{endpoint: "unix:///var/run/docker-{index}.sock"}}
  protectedPrefixes: [prod-, odoo-db-]
""")
        (state / f"hosts-{start:05}.yaml").write_text("---\n".join(text))
    return pathlib.Path(os.fspath(folder))
