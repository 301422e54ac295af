"""An Odoo environment: from a commit to healthy, against the commands that people type.

Both sides have an environment of their own, equal in everything: one is changed by commits and `ipaictl apply`, the other
by `docker stop`, `odoo -u` and `docker start`, until its login page answers.
"""

import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import measure
import world

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = ("bench-odoo", "bench-bare")
PORTS = {"bench-odoo": 18641, "bench-bare": 18642}
ODOO = os.environ.get("IPAICTL_TEST_ODOO_IMAGE") or os.environ.get("ODOO_IMAGE", "ipaictl/odoo-standin:18")
POSTGRES = os.environ.get("POSTGRES_IMAGE", "ipaictl/postgres:15")


def document(name, limit):
    spec = {
        "tier": "dev", "host": "local",
        "odoo": {"image": ODOO, "version": "18.0", "addons": [{"mountPath": "/mnt/extra-addons", "source": "addons"}],
                 "config": {"db_maxconn": 16, "limit_time_real": limit}, "modules": {"install": ["lab_plain"]}},
        "database": {"managed": {"image": POSTGRES, "volume": f"{name}-db", "name": "bench"}},
        "filestore": {"volume": f"{name}-files"},
        "publish": {"http": f"127.0.0.1:{PORTS[name]}"},
    }
    return {"apiVersion": "ipai.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": spec}


class Environments:
    """A repository with both environments, applied."""

    def __init__(self, bench):
        self.bench = bench
        self.repository = bench.scratch / "environments"
        self.round = 0
        (self.repository / "desired-state").mkdir(parents=True)
        shutil.copytree(ROOT / "tests" / "lab" / "addons", self.repository / "addons")
        host = {"apiVersion": "ipai.dev/v1alpha1", "kind": "Host", "metadata": {"name": "local"}, "spec": {}}
        (self.repository / "desired-state" / "host.yaml").write_text(json.dumps(host))
        for name in NAMES:
            self.describe(name, 600)
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.repository)], check=True)
        config = bench.scratch / "environments.yaml"
        config.write_text(f"repo: {self.repository}\nstateDir: {bench.scratch / 'environments-state'}\n")
        self.commit()
        self.apply()

    def describe(self, name, limit):
        path = self.repository / "desired-state" / f"{name}.yaml"
        path.write_text(json.dumps(document(name, limit)))

    def commit(self):
        git = ["git", "-C", str(self.repository), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "feat: a round"], check=True)

    def apply(self, *only):
        chosen = [word for name in only for word in ("--only", name)]
        return self.bench.ipaictl("apply", "--yes", *chosen, state="environments")[0]

    def config_ours(self):
        self.round += 1
        self.describe("bench-odoo", 600 + self.round)
        self.commit()
        return self.apply("Environment/bench-odoo")

    def config_bare(self):
        conf = self.mounts()["/etc/odoo/odoo.conf"]
        started = time.perf_counter()
        world.docker("stop", "bench-bare-odoo-1")
        text = pathlib.Path(conf).read_text()
        pathlib.Path(conf).write_text(text.replace("limit_time_real = ", "limit_time_real = 1"))
        world.docker("start", "bench-bare-odoo-1")
        self.wait_for_login()
        pathlib.Path(conf).write_text(text)
        return time.perf_counter() - started

    def module_ours(self):
        self.round += 1
        with open(self.repository / "addons" / "lab_plain" / "models" / "thing.py", "a", encoding="utf-8") as file:
            file.write(f"# {self.round}\n")
        self.commit()
        wall = self.apply("Environment/bench-odoo")
        return wall

    def module_bare(self):
        mounts = self.mounts()
        started = time.perf_counter()
        world.docker("stop", "bench-bare-odoo-1")
        world.docker("run", "--rm", "--network", "bench-bare_default",
                     "-v", f"{mounts['/etc/odoo/odoo.conf']}:/etc/odoo/odoo.conf:ro",
                     "-v", f"{mounts['/mnt/extra-addons']}:/mnt/extra-addons:ro", "-v", "bench-bare-files:/var/lib/odoo",
                     "--entrypoint", "odoo", ODOO, "--config", "/etc/odoo/odoo.conf", "--database", "bench",
                     "--update", "lab_plain", "--stop-after-init", "--workers=0", "--max-cron-threads=0", "--no-http")
        world.docker("start", "bench-bare-odoo-1")
        self.wait_for_login()
        return time.perf_counter() - started

    def mounts(self):
        found = json.loads(world.docker("inspect", "bench-bare-odoo-1"))[0]["Mounts"]
        return {mount["Destination"]: mount["Source"] for mount in found}

    def wait_for_login(self):
        url = f"http://127.0.0.1:{PORTS['bench-bare']}/web/login"
        deadline = time.time() + 60
        while time.time() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    if answer.status == 200 and b"csrf_token" in answer.read():
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise measure.Failed("the bare environment has no login page")


def environment(bench):
    try:
        both = Environments(bench)
        runs = max(3, bench.runs // 2 + 1)
        kind = "real Odoo" if os.environ.get("IPAICTL_TEST_ODOO_IMAGE") else "stand-in"
        for what, ours, bare, peer in (
            ("commit → healthy, a configuration change", both.config_ours, both.config_bare, "docker stop, start"),
            ("commit → healthy, a module update", both.module_ours, both.module_bare, "docker stop, odoo -u, docker start"),
        ):
            medians = measure.interleaved(runs, {"ours": ours, "bare": bare})
            ratio = medians["ours"] / medians["bare"]
            bench.row(f"{what} ({kind})", f"{medians['ours']:.2f} s", f"{peer} {medians['bare']:.2f} s (ours {ratio:.2f}×)",
                      "at most 1.2×" if kind == "real Odoo" else "no reach: it starts in half a second",
                      ratio <= 1.2 if kind == "real Odoo" else None)
    finally:
        for name in NAMES:
            world.remove_project(name)
