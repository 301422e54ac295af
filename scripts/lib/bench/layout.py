"""A layout of OCA repositories: cloning what is missing, and knowing whether all is as declared.

The repositories are made up: nineteen behind `git daemon`, each with a branch for each of five series that share no
history, as OCA's have it, and on each a hundred and fifty commits over sixty-two modules. (In 2025, OCA's `server-tools` had
thirteen branches with 31,593 commits, its `project` as many with 15,245.)
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import measure

REPOSITORIES = 19
# 1,178 in all.
MODULES = 62
COMMITS = 150
SERIES = ["14.0", "15.0", "16.0", "17.0", "18.0"]
BRANCH = SERIES[-1]
MEMORY = pathlib.Path("/dev/shm")
WORDS = [f"word{number}" for number in range(2_000)]


def text(source, lines):
    return "".join(" ".join(source.choices(WORDS, k=8)) + "\n" for _ in range(lines)).encode()


def make_remote(folder, number):
    """Writes a repository by `git fast-import`: on each branch all modules, then commits that each change three files."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", BRANCH, str(folder)], check=True)
    for series in SERIES:
        stream = branch(random.Random(f"{number} {series}"), number, series)
        subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=stream, check=True)
    for key in ("allowFilter", "allowAnySHA1InWant"):
        subprocess.run(["git", "-C", str(folder), "config", f"uploadpack.{key}", "true"], check=True)
    subprocess.run(["git", "-C", str(folder), "repack", "-adbq"], check=True)


def branch(source, number, series):
    """One branch as `git fast-import` reads it."""
    stream = []

    def blob(path, content):
        stream.append(f"M 644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")

    for commit in range(COMMITS):
        stream.append(f"commit refs/heads/{series}\ncommitter A <a@example.org> {1_600_000_000 + commit} +0000\ndata 1\nx\n".encode())
        names = range(MODULES) if commit == 0 else source.sample(range(MODULES), 3)
        for module in names:
            name = f"mod_{number}_{module}"
            if commit == 0:
                blob(f"{name}/__init__.py", b"")
                manifest = {"name": name, "version": f"{series}.1.0.0", "license": "AGPL-3", "depends": ["base"]}
                blob(f"{name}/__manifest__.py", (repr(manifest) + "\n").encode())
                for part in ("models/thing.py", "views/thing.xml", "i18n/de.po", "i18n/fr.po", "readme/DESCRIPTION.md"):
                    blob(f"{name}/{part}", text(source, 60))
            blob(f"{name}/i18n/{source.choice(['de', 'fr'])}.po", text(source, 60))
    return b"".join(stream)


class Server:
    """`git daemon` over a folder."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={self.port}", f"--base-path={folder}"],
            stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.time() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if time.time() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Layout:
    """A checkout that is there, whose repositories are not."""

    def __init__(self, bench, root):
        self.bench = bench
        self.root = root
        remotes = self.root / "remotes"
        for number in range(REPOSITORIES):
            make_remote(remotes / f"repo-{number}", number)
        self.server = Server(remotes)
        self.code = self.root / "code"
        items = [{"name": f"repo-{number}", "url": self.url(number), "path": f"addons/oca/repo-{number}"} for number in range(REPOSITORIES)]
        self.write(self.code / "config" / "addons_manifest.oca_ipai.json", json.dumps({"oca_repositories": items}))
        self.write(self.code / ".gitignore", "/addons/\n")
        state = self.root / "desired"
        self.checkout = self.root / "checkout"
        documents = [
            ("Host", "local", {"engine": {"endpoint": "unix:///nonexistent/docker.sock"}}),
            ("Repository", "code", {"url": f"file://{self.code}", "host": "local", "checkout": str(self.checkout)}),
            ("AddonsLayout", "oca", {"repository": "code", "series": BRANCH, "fix": ["clone"]}),
        ]
        for kind, name, spec in documents:
            document = {"apiVersion": "ipai.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
            self.write(state / "desired-state" / f"{kind.lower()}.yaml", json.dumps(document))
        for folder in (self.code, state):
            git = ["git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
            for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "begin"]):
                subprocess.run([*git, *command], check=True)
        config = bench.scratch / "layout.yaml"
        config.write_text(f"repo: {state}\nstateDir: {self.root / 'state'}\ngit: {{allow: [file, git]}}\n")
        self.write(self.root / "core" / "base" / "__manifest__.py", "{'name': 'Base', 'version': '1.0'}\n")
        self.bench.ipaictl("apply", "--yes", "--only", "Repository/code", state="layout")

    def url(self, number):
        return f"git://127.0.0.1:{self.server.port}/repo-{number}"

    @staticmethod
    def write(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def empty(self):
        shutil.rmtree(self.checkout / "addons", ignore_errors=True)
        shutil.rmtree(self.root / "loop", ignore_errors=True)

    def ours(self):
        self.empty()
        wall = self.bench.ipaictl("layout", "fix", "oca", "--yes", "-q", state="layout")[0]
        found = len(list((self.checkout / "addons" / "oca").glob("repo-*/mod_*/__manifest__.py")))
        if found != REPOSITORIES * MODULES:
            raise measure.Failed(f"{found} modules were cloned")
        return wall

    def verify(self):
        core = self.root / "core"
        return self.bench.ipaictl("layout", "verify", str(self.checkout), "--core", str(core), state="layout")[0]

    def loop(self, *options):
        self.empty()
        command = "\n".join(
            f"git clone -q {' '.join(options)} --branch {BRANCH} {self.url(number)} {self.root / 'loop' / f'repo-{number}'}"
            for number in range(REPOSITORIES))
        started = time.perf_counter()
        subprocess.run(["bash", "-ec", command], check=True)
        return time.perf_counter() - started


def layout(bench):
    # In memory where there is such a place: both write the same files, and what a disk takes for them is no part of either.
    place = MEMORY if MEMORY.is_dir() else bench.scratch
    with tempfile.TemporaryDirectory(prefix="ipaictl-bench-", dir=place) as folder:
        clones(bench, Layout(bench, pathlib.Path(folder)))


def clones(bench, both):
    try:
        runs = max(3, bench.runs // 2 + 1)
        medians = measure.interleaved(runs, {
            "ours": both.ours, "whole": both.loop, "shallow": lambda: both.loop("--depth", "1"),
        })
        for what, name in (("git clone", "whole"), ("git clone --depth 1", "shallow")):
            ratio = medians[name] / medians["ours"]
            bench.row("19 clones from a local git server", f"{medians['ours']:.2f} s",
                      f"`{what}`, one at a time {medians[name]:.2f} s ({ratio:.1f}×)",
                      "at least 3× faster" if name == "whole" else "no reach: it has no history", ratio >= 3 if name == "whole" else None)
        both.ours()
        median, _ = measure.median_of(bench.runs, both.verify)
        bench.row("`layout verify` of 19 clones and 1,178 modules, warm", f"{median * 1e3:.0f} ms", "", "at most 200 ms", median <= 0.2)
    finally:
        both.server.stop()
