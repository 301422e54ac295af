"""The measured rows as docs/performance.md."""

import datetime
import re
import subprocess

import measure


def first_line(*argv):
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = (result.stdout or result.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


HELD = {True: "yes", False: "**no**", None: "–"}


METHOD = [
    "How it is measured:",
    "",
    "- **diff**: `ipaictl diff` reads the repository, asks the engine, compares every owned field and prints; Compose's no-op is `up -d`, Ansible's is",
    "  `community.docker.docker_container` with `--check --diff`. The bare engine calls are the same requests by one `curl --parallel`.",
    "- **create**: `ipaictl apply --yes` includes journal, verification by a second observation and the evidence pack.",
    "- **killed → start issued**: from the engine's `die` event to the journal row that precedes the start call.",
    "- **commit → first operation**: from the end of `git commit` to the first journal row.",
    "- **closure** and **modules**: `ipaictl deps -q` over trees of manifests of two KiB each; the peer is `manifestoo list-depends --transitive`.",
    "- **19 clones**: `ipaictl layout fix`, verification and evidence included, of made up repositories with five branches that share no history, as",
    "  OCA's have thirteen; the peer is a loop in the shell. We clone one branch, without the files of its past; `git clone --depth 1` has no past at all.",
    "  The first users' script is such a loop. All files are in memory (`/dev/shm`), since both write the same ones: with this machine's disk, which takes",
    "  half a millisecond for a new folder, the ratios were 2.5 and 2.2, as two cores write no more than twice as fast as one.",
    "- **commit → healthy**: `ipaictl apply` of one environment, evidence, verification and all probes included; the peer is the commands alone, until",
    "  the login page answers. The reach is for a real Odoo, which `IPAICTL_TEST_ODOO_IMAGE` names; the tests' stand-in starts in half a second, so that",
    "  what we add weighs more than it does for anybody.",
    "- **planning**: `cargo bench --bench planning`, pure, no I/O; peak is the process's.",
    "",
]


def line(row):
    return f"| {row['what']} | {row['value']} | {row['peers'] or '–'} | {row['reach']} | {HELD[row['held']]} |"


def merge(text, rows, runs):
    """The document with these rows in the place of those of the same name, new ones below the others.

    Of several rows of one name, each against another peer, the first takes the first one's place, and so on.
    """
    lines = text[:text.index(METHOD[0])].splitlines()
    of_rows = [at for at, old in enumerate(lines) if old.startswith("| ") and old.endswith(tuple(f" {word} |" for word in HELD.values()))]
    last = max(of_rows)
    taken = set()
    for row in rows:
        start = f"| {row['what']} |"
        place = next((at for at in of_rows if lines[at].startswith(start) and at not in taken), None)
        if place is None:
            last += 1
            lines.insert(last, line(row))
        else:
            lines[place] = line(row)
            taken.add(place)
    again = f"; rows measured again on {today()}, {runs} runs"
    lines = [re.sub(r"(Day: [0-9-]+)[^.]*\.", rf"\1{again}.", old) for old in lines]
    return "\n".join([*lines, *METHOD])


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def render(rows, runs, program, compose):
    engine = first_line("docker", "version", "--format", "{{.Server.Version}}")
    versions = [
        ("ipaictl", first_line(program, "--version")),
        ("Docker Engine", engine),
        ("Docker Compose v2", first_line(compose, "version", "--short")),
        ("docker-compose 1.29", first_line("docker-compose", "version", "--short")),
        ("Ansible", first_line("ansible", "--version")),
    ]
    out = [
        "# Performance",
        "",
        "Written by `./scripts/bench`; don't edit by hand. Every figure is the median of "
        f"{runs} runs of whole processes after one unmeasured run, unless it says otherwise; peers are measured in the same run, on the",
        "same twenty services, at their own no-op or from nothing. A ratio is the peer's time over ours.",
        "",
        f"Machine: {measure.machine()}. Day: {today()}.",
        "",
        "| program | version |",
        "|---|---|",
        *(f"| {name} | {version} |" for name, version in versions),
        "",
        "| what | ipaictl | peer, same run | reach | held |",
        "|---|---|---|---|---|",
    ]
    out += [line(row) for row in rows]
    out += ["", *METHOD]
    return "\n".join(out)
