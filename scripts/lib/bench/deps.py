"""The resolver of modules against manifestoo, on trees made from the fixture or made up."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import measure
from measure import say

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("IPAICTL_SHARED", ROOT.parent / "shared"))
MODULES = SHARED / "fixtures" / "ipai-repo" / "modules.json"
SYNTHETIC = 20_000
DEPTH = 60


def write_module(folder, manifest):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__manifest__.py").write_text(repr(manifest) + "\n")
    (folder / "__init__.py").write_text("")


def fixture_tree(root):
    """All modules of the fixture; returns the roots of core, and all others."""
    core, others = [], []
    for module in json.loads(MODULES.read_text()):
        part = "core" if module["source"] == "core-18.0" else "ipai" if module["source"].startswith("ipai") else "oca"
        folder = root / part / module["path"]
        # Real manifests have some two KiB of text that nobody needs but everybody reads.
        filler = {"summary": "s" * 80, "description": "Some text.\n" * 120, "data": [f"views/view_{n}.xml" for n in range(12)]}
        write_module(folder, {**{key: module[key] for key in ("name", "version", "depends", "external_dependencies",
                                                             "installable", "auto_install", "license")}, **filler})
        roots = core if part == "core" else others
        if folder.parent not in roots:
            roots.append(folder.parent)
    return core, others


def synthetic_tree(root, count):
    """Layers of modules; each needs three of the layer below."""
    layer = count // DEPTH
    for number in range(count):
        below = number - layer
        depends = [f"m{max(0, below - step):06}" for step in range(3)] if below >= 0 else []
        write_module(root / f"m{number:06}", {"name": f"M {number}", "version": "18.0.1.0.0", "depends": sorted(set(depends)),
                                              "license": "LGPL-3", "summary": "s" * 100})
    write_module(root / "all", {"depends": [f"m{number:06}" for number in range(count)]})


def options(core, others):
    return [word for path in core for word in ("--core", str(path))] + [word for path in others for word in ("--root", str(path))]


def deps(bench):
    """Closure of one module over core, all modules cold and warm, and 20,000 made-up ones."""
    program = os.environ["IPAICTL_BENCH_PROGRAM"]
    if not MODULES.exists():
        say(f"skipped: {MODULES} does not exist")
        return
    python = subprocess.run([ROOT / "scripts/lib/manifestoo"], capture_output=True, text=True, check=True).stdout.strip()
    cache = bench.scratch / "deps-cache"
    environment = {**bench.environment, "XDG_CACHE_HOME": str(cache)}
    core, others = fixture_tree(bench.scratch / "deps")
    run = lambda *argv, env=environment, expect=(0,): measure.run([program, "deps", "-q", *argv], env=env, expect=expect)

    peer = [python, "-m", "manifestoo", "--addons-path", ",".join(map(str, core)), "--select-include", "sale_management",
            "list-depends", "--transitive"]
    ours = ["sale_management", *options(core, [])]
    found = {line.split()[1] for line in run(*ours)[3].splitlines()[1:]} - {"sale_management"}
    # Its messages go to the same stream; names are lines without a space.
    theirs = {line for line in measure.run(peer)[3].splitlines() if re.fullmatch(r"[a-z0-9_]+", line)}
    if found != theirs:
        raise measure.Failed(f"not the same closure: {sorted(found ^ theirs)}")
    cold = ["--no-cache", *ours]
    medians = measure.interleaved(bench.runs, {
        "warm": lambda: run(*ours)[0], "cold": lambda: run(*cold)[0], "peer": lambda: measure.run(peer)[0]})
    for name in ("cold", "warm"):
        ratio = medians["peer"] / medians[name]
        title = "without our cache" if name == "cold" else "second run"
        bench.row(f"closure of `sale_management` over 615 modules, {title}", f"{medians[name] * 1e3:.1f} ms",
                  f"manifestoo {medians['peer'] * 1e3:.0f} ms ({ratio:.0f}×)", "at least 20× faster", ratio >= 20)

    everything = ["sale_management", *options(core, others)]
    samples = []
    for _ in range(bench.runs):
        shutil.rmtree(cache, ignore_errors=True)
        samples.append(run(*everything)[1])
    cpu = sorted(samples)[len(samples) // 2]
    bench.row("parse and graph of 1,173 modules, cold cache of our own", f"{cpu * 1e3:.0f} ms of CPU", "", "at most 60 ms of CPU", cpu <= 0.060)
    time.sleep(2.1)  # what changed within two seconds of writing the cache is read once more
    run(*everything)
    median, _ = measure.median_of(bench.runs, lambda: run(*everything)[0])
    bench.row("the same, second run", f"{median * 1e3:.1f} ms", "", "at most 15 ms", median <= 0.015)

    walls = {}
    for count in (SYNTHETIC // 2, SYNTHETIC):
        root = bench.scratch / f"deps-{count}"
        synthetic_tree(root, count)
        argv = ["--no-cache", "all", "--root", str(root)]
        walls[count], _ = measure.median_of(max(3, bench.runs // 3), lambda argv=argv: run(*argv)[0])
        peak = run(*argv)[2]
    growth = walls[SYNTHETIC] / walls[SYNTHETIC // 2]
    held = walls[SYNTHETIC] <= 1.0 and peak <= 150 * 1024 and growth <= 2.6
    bench.row(f"{SYNTHETIC:,} made-up modules, depth {DEPTH}", f"{walls[SYNTHETIC]:.2f} s, {peak / 1024:.0f} MiB",
              f"half of them {walls[SYNTHETIC // 2]:.2f} s ({growth:.1f}×)", "at most 1 s and 150 MiB, linear", held)
