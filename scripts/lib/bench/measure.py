"""Timing of whole processes: wall time, CPU time and peak memory, over several runs."""

import os
import resource
import statistics
import subprocess
import sys
import time


class Failed(Exception):
    """A measured command did not do what it should: a number from it would be a lie."""


def run(argv, env=None, cwd=None, expect=(0,), timeout=600):
    """Runs a command once; returns wall seconds, CPU seconds, peak KiB and its output."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expect:
        tail = output[-2000:].decode(errors="replace")
        raise Failed(f"{' '.join(map(str, argv))}: exit code {process.returncode}\n{tail}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, output.decode(errors="replace")


def median_of(count, measured, before=None):
    """Calls `measured` several times, once unmeasured to warm up; returns the median wall seconds and all."""
    walls = []
    for index in range(count + 1):
        if before:
            before()
        wall = measured()
        if index:
            walls.append(wall)
    return statistics.median(walls), walls


def interleaved(count, commands):
    """Times several commands turn by turn, so that what the machine does meanwhile hits all of them."""
    walls = {name: [] for name in commands}
    for index in range(count + 1):
        for name, command in commands.items():
            wall = command()
            if index:
                walls[name].append(wall)
    return {name: statistics.median(values) for name, values in walls.items()}


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} cores of {model}, {pages / 2**30:.0f} GiB, {os.uname().sysname} {os.uname().release}"


def limit_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
