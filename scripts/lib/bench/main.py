"""All measurements in one run; the table that docs/performance.md publishes."""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import deps as deps_bench  # noqa: E402
import environment as environment_bench
import layout as layout_bench  # noqa: E402
import loop  # noqa: E402
import measure  # noqa: E402
import publish  # noqa: E402
import world  # noqa: E402
from measure import say  # noqa: E402

PROGRAM = os.environ["IPAICTL_BENCH_PROGRAM"]
COMPOSE = os.environ["IPAICTL_BENCH_COMPOSE"]
ROOT = pathlib.Path(__file__).resolve().parents[3]


class Bench:
    """One benchmark run: its scratch folder, its number of runs, its results."""

    def __init__(self, scratch, runs):
        self.scratch = scratch
        self.runs = runs
        self.rows = []
        self.environment = {**os.environ, "NO_COLOR": "1", "XDG_STATE_HOME": str(scratch / "state-home")}

    def ipaictl(self, *argv, expect=(0,), state="state"):
        flags = ["--config", str(self.config(state))]
        return measure.run([PROGRAM, *flags, *argv], env=self.environment, expect=expect)

    def config(self, state):
        path = self.scratch / f"{state}.yaml"
        if not path.exists():
            path.write_text(f"repo: {self.scratch / 'repository'}\nstateDir: {self.scratch / state}\n"
                            "listen: 127.0.0.1:18629\n")
        return path

    def row(self, what, value, peers, reach, held):
        self.rows.append({"what": what, "value": value, "peers": peers, "reach": reach, "held": held})
        say(f"{what}: {value}; {peers} -> {'MISSED' if held is False else 'held'}")


def version(bench):
    median, _ = measure.median_of(bench.runs * 3, lambda: measure.run([PROGRAM, "--version"])[0])
    bench.row("`ipaictl --version`", f"{median * 1e3:.1f} ms", "", "at most 10 ms", median <= 0.010)


def validate(bench):
    folder = world.documents(bench.scratch / "many", 10_000)
    median, _ = measure.median_of(
        bench.runs, lambda: measure.run([PROGRAM, "validate", str(folder / "desired-state")], env=bench.environment)[0])
    peak = measure.run([PROGRAM, "validate", str(folder / "desired-state")], env=bench.environment)[2]
    bench.row("validate of 10,000 documents", f"{median:.2f} s, {peak / 1024:.0f} MiB", "", "at most 1 s", median <= 1.0)


def create(bench):
    """Twenty services from nothing, verification included, turn by turn with Compose."""
    compose = bench.scratch / "compose-create"
    world.write_compose(compose)
    argv = [COMPOSE, "-p", "bench-compose", "-f", str(compose / "compose.yaml"), "up", "-d"]

    def forget():
        # The ports are the same in both projects, so each has the machine for itself.
        for project in ("bench-ipaictl", "bench-compose"):
            world.remove_project(project)

    def ours():
        forget()
        shutil.rmtree(bench.scratch / "state", ignore_errors=True)
        wall = bench.ipaictl("apply", "--yes")[0]
        if len(world.ids("bench-ipaictl")) != world.SERVICES:
            raise measure.Failed("ipaictl did not make all containers")
        return wall

    def theirs():
        forget()
        return measure.run(argv)[0]

    runs = max(3, bench.runs // 2 + 1)
    medians = measure.interleaved(runs, {"ours": ours, "compose": theirs})
    forget()
    ratio = medians["compose"] / medians["ours"]
    bench.row("creating the 20 services from nothing", f"{medians['ours']:.2f} s",
              f"Compose v2 {medians['compose']:.2f} s ({ratio:.2f}×)", "no slower than Compose v2", ratio >= 1.0)


def diff(bench):
    """A no-op preview of twenty running services against the peers' no-op on the same twenty."""
    bench.ipaictl("apply", "--yes", expect=(0,))
    if bench.ipaictl("diff")[3].find("No differences") < 0:
        raise measure.Failed("the world is not in sync before the measurement")
    commands = {"ours": lambda: bench.ipaictl("diff")[0]}
    urls = loop.engine_calls(bench.scratch, "bench-ipaictl")
    commands["engine"] = lambda: measure.run(urls)[0]

    folder = bench.scratch / "compose-noop"
    world.write_compose(folder)
    up = [COMPOSE, "-p", "bench-noop", "-f", str(folder / "compose.yaml"), "up", "-d"]
    old = ["docker-compose", "-p", "bench-old", "-f", str(bench.scratch / "compose-old" / "compose.yaml"), "up", "-d"]
    world.write_compose(bench.scratch / "compose-old")
    play = world.write_playbook(bench.scratch)
    ansible = ["ansible-playbook", "-i", "localhost,", "--check", "--diff", str(play)]
    environment = {**bench.environment, "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3", "ANSIBLE_NOCOWS": "1"}

    # The ports are the same in every project, so each peer gets the machine for itself.
    world.remove_project("bench-ipaictl")
    peers = {}
    for name, argv, forget in (
        ("Compose v2", up, lambda: world.remove_project("bench-noop")),
        ("docker-compose 1.29", old, lambda: world.remove_project("bench-old")),
    ):
        measure.run(argv)
        peers[name], _ = measure.median_of(max(3, bench.runs // 2), lambda argv=argv: measure.run(argv)[0])
        forget()
    measure.run(["ansible-playbook", "-i", "localhost,", str(play)], env=environment)
    check = measure.run(ansible, env=environment)[3]
    if "changed=0" not in check:
        raise measure.Failed(f"Ansible's check is not a no-op:\n{check[-1500:]}")
    peers["Ansible"], _ = measure.median_of(2, lambda: measure.run(ansible, env=environment)[0])
    world.remove_ansible()

    shutil.rmtree(bench.scratch / "state", ignore_errors=True)
    bench.ipaictl("apply", "--yes")
    urls[:] = loop.engine_calls(bench.scratch, "bench-ipaictl")
    # As each peer was: one run after the other.
    ours, _ = measure.median_of(bench.runs, commands["ours"])
    for name, reach in (("Compose v2", 3), ("docker-compose 1.29", 15), ("Ansible", 100)):
        ratio = peers[name] / ours
        bench.row("no-op `diff` of 20 running services, whole process", f"{ours * 1e3:.0f} ms",
                  f"{name} {peers[name]:.2f} s ({ratio:.1f}×)", f"at least {reach}× faster", ratio >= reach)
    medians = measure.interleaved(bench.runs, commands)
    ratio = medians["ours"] / medians["engine"]
    bench.row("the same against the bare engine calls, turn by turn", f"{medians['ours'] * 1e3:.0f} ms",
              f"curl, same calls {medians['engine'] * 1e3:.0f} ms ({ratio:.1f}×)", "within 3×", ratio <= 3.0)


def latency(bench):
    with loop.Serving(bench, PROGRAM) as serving:
        kills = serving.kill_latencies(max(20, bench.runs * 2))
        p95 = measure.percentile(kills, 0.95)
        bench.row("container killed → start issued", f"p95 {p95 * 1e3:.0f} ms, median {measure.percentile(kills, 0.5) * 1e3:.0f} ms",
                  f"{len(kills)} kills", "p95 at most 300 ms", p95 <= 0.3)
        commits = serving.commit_latencies(max(10, bench.runs))
        p95 = measure.percentile(commits, 0.95)
        bench.row("commit in a local repository → first operation", f"p95 {p95 * 1e3:.0f} ms, median {measure.percentile(commits, 0.5) * 1e3:.0f} ms",
                  f"{len(commits)} commits", "at most 1 s", p95 <= 1.0)


def idle(bench):
    with loop.Serving(bench, PROGRAM) as serving:
        resident, share = serving.idle(60)
        bench.row("idle `serve` with 20 services, resident", f"{resident / 1024:.0f} MiB", "", "at most 40 MiB", resident <= 40 * 1024)
        bench.row("idle `serve` with 20 services, processor", f"{share * 100:.2f} % of a core", "60 s", "at most 0.5 %", share <= 0.005)


def planning(bench):
    output = measure.run(["cargo", "bench", "--locked", "--quiet", "--bench", "planning"], cwd=ROOT, timeout=1800)[3]
    found = {int(n.replace(",", "")): (float(s), float(m)) for n, s, m in
             re.findall(r"^planning ([\d,]+) resources: ([\d.]+) s, peak ([\d.]+) MiB", output, re.M)}
    if sorted(found) != [1_000, 10_000, 100_000]:
        raise measure.Failed(f"the planning benchmark printed something else:\n{output[-1500:]}")
    for count, (seconds, mebibytes) in sorted(found.items()):
        reach, held = "growth linear", True
        if count == 10_000:
            reach, held = "at most 0.5 s and 200 MiB", seconds <= 0.5 and mebibytes <= 200
        if count == 100_000:
            # Linear within a factor of two: caches and page faults grow a little faster.
            held = seconds <= 2 * 10 * found[10_000][0]
        bench.row(f"planning {count:,} resources (pure)", f"{seconds:.3f} s, {mebibytes:.0f} MiB", "", reach, held)


ALL = [version, validate, create, diff, latency, idle, planning, deps_bench.deps, environment_bench.environment, layout_bench.layout]


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--only", default="")
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name]
    unknown = set(wanted) - {function.__name__ for function in ALL}
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    measure.limit_files()
    with tempfile.TemporaryDirectory(prefix="ipaictl-bench-") as scratch:
        bench = Bench(pathlib.Path(scratch), options.runs)
        world.write_state(bench.scratch / "repository", "bench-ipaictl")
        try:
            for function in ALL:
                if not wanted or function.__name__ in wanted:
                    say(function.__name__)
                    function(bench)
        finally:
            for project in ("bench-ipaictl", "bench-compose", "bench-noop", "bench-old"):
                world.remove_project(project)
            world.remove_ansible()
    document = ROOT / "docs" / "performance.md"
    text = publish.render(bench.rows, options.runs, PROGRAM, COMPOSE)
    print(text)
    if not options.no_write:
        document.write_text(publish.merge(document.read_text(), bench.rows, options.runs) if wanted else text)
        say("wrote docs/performance.md")
    return 0 if all(row["held"] is not False for row in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
