"""The controller at work: latencies from the engine's events and our journal, and what idling costs."""

import datetime
import json
import os
import pathlib
import sqlite3
import subprocess
import time
import urllib.request

import measure
import world


def engine_calls(scratch, project):
    """One curl that makes the engine calls a diff of the project needs, side by side."""
    base = "http://localhost/v1.41"
    paths = ["/version", "/containers/json?all=1", "/networks", "/volumes",
             "/images/ipaictl/busybox:1/json", "/images/ipaictl/web:1/json"]
    paths += [f"/containers/{container}/json" for container in world.ids(project)]
    lines = []
    for path in paths:
        lines += [f'url = "{base}{path}"', 'output = "/dev/null"']
    config = scratch / "engine-calls.curl"
    config.write_text("\n".join(lines) + "\n")
    return ["curl", "-sf", "--unix-socket", "/var/run/docker.sock", "--parallel", "--parallel-max", "8", "-K", str(config)]


def parse_time(text):
    """RFC 3339 with up to nine fractional digits → seconds since 1970."""
    text = text.replace("Z", "+00:00")
    head, _, rest = text.partition(".")
    if rest:
        digits = "".join(c for c in rest if c.isdigit() or c in "+-:").split("+")[0]
        text = f"{head}.{digits[:6]:0<6}+00:00"
    return datetime.datetime.fromisoformat(text).timestamp()


class Serving:
    """`ipaictl serve` on the benchmark's repository, converged and quiet."""

    def __init__(self, bench, program):
        self.bench = bench
        self.program = program
        self.state = bench.scratch / "state"
        self.repository = bench.scratch / "repository"
        self.process = None

    def __enter__(self):
        log = open(self.bench.scratch / "serve.log", "wb")
        self.process = subprocess.Popen([self.program, "--config", str(self.bench.config("state")), "serve"],
                                        env=self.bench.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_ready()
        self.wait_in_sync()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def wait_ready(self):
        for _ in range(300):
            try:
                with urllib.request.urlopen("http://127.0.0.1:18629/readyz", timeout=1) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise measure.Failed((self.bench.scratch / "serve.log").read_text()[-2000:])
            time.sleep(0.1)
        raise measure.Failed("serve was not ready within 30 s")

    def wait_in_sync(self):
        for _ in range(300):
            try:
                self.bench.ipaictl("--quiet", "diff")
                if len(world.ids("bench-ipaictl")) == world.SERVICES:
                    # Past the window in which repeated events are put together.
                    time.sleep(1.5)
                    return
            except measure.Failed:
                pass
            time.sleep(0.2)
        raise measure.Failed("not in sync within 60 s")

    def journal_after(self, moment, action, limit=30.0):
        """When the first matching operation after a moment was journaled as started."""
        deadline = time.time() + limit
        while time.time() < deadline:
            with sqlite3.connect(f"file:{self.state / 'ipaictl.db'}?mode=ro", uri=True, timeout=5) as store:
                rows = store.execute("select started, operation from journal order by started").fetchall()
            for started, operation in rows:
                if action in operation and parse_time(started) >= moment:
                    return parse_time(started)
            time.sleep(0.05)
        raise measure.Failed(f"no operation within {limit} s")

    def kill_latencies(self, count):
        found = []
        for index in range(count):
            name = f"bench-ipaictl-s{index % world.SERVICES:02}-1"
            events = subprocess.Popen(["docker", "events", "--filter", f"container={name}", "--filter", "event=die",
                                       "--format", "{{.TimeNano}}"], stdout=subprocess.PIPE, text=True)
            time.sleep(0.3)
            # After a kill by hand the engine applies no restart policy, so what starts it again is ipaictl.
            world.docker("kill", name)
            died = int(events.stdout.readline()) / 1e9
            events.kill()
            found.append(self.journal_after(died, "startContainer") - died)
            self.wait_in_sync()

        return found

    def commit_latencies(self, count):
        found = []
        path = self.repository / "compose.yaml"
        git = ["git", "-C", str(self.repository), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for index in range(count):
            document = json.loads(path.read_text())
            document["services"][f"s{index % world.SERVICES:02}"]["environment"]["ROUND"] = f"{time.time()}"
            path.write_text(json.dumps(document, indent=1))
            subprocess.run([*git, "commit", "-q", "-am", f"feat: round {index}"], check=True)
            committed = time.time()
            found.append(self.journal_after(committed, "") - committed)
            self.wait_in_sync()
        return found

    def idle(self, seconds):
        """Resident KiB and share of a core over some quiet seconds."""
        ticks = os.sysconf("SC_CLK_TCK")

        def spent():
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / ticks

        time.sleep(5)
        before = spent()
        time.sleep(seconds)
        share = (spent() - before) / seconds
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return resident, share
