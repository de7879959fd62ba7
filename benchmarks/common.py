"""What the benchmarks share: where and with what a number was measured, tables, and JSON files."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "transformers", "sentence-transformers", "diffusers", "accelerate", "datasets")


def environment() -> dict[str, Any]:
    """Hardware, threads, versions of the packages that matter, and the commit. A number means nothing without it."""
    import torch

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str | None:
    root = Path(__file__).resolve().parent.parent
    told = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or None if told.returncode == 0 else None


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Columns under their headers, padded, for a terminal."""
    widths = [max(len(str(row[c])) for row in [header, *rows]) for c in range(len(header))]
    lines = [header, ["-" * w for w in widths], *rows]
    return "\n".join("  ".join(str(cell).ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def verdicts(results: Sequence[tuple[str, float, str, float]]) -> tuple[str, bool]:
    """(what, value, ">=" or "<=", target) -> (a table with pass or MISS, whether all passed)."""
    rows, good = [], True
    for what, value, relation, target in results:
        passed = value >= target if relation == ">=" else value <= target
        good &= passed
        rows.append([what, f"{value:.4g}", f"{relation} {target:g}", "pass" if passed else "MISS"])
    return table(rows, ["what", "measured", "must be", ""]), good


def concluded(results: Sequence[tuple[str, float, str, float]], path: str | Path | None, result: dict[str, Any]) -> int:
    """Print the verdicts, write the result with what it was measured on, and return the exit status: 1 for a miss."""
    said, good = verdicts(results)
    print(said)
    write_json(path, {**result, "environment": environment()})
    return 0 if good else 1


def write_json(path: str | Path | None, result: dict[str, Any]) -> None:
    """Write the result beside its final place and move it there; None: not at all."""
    if path is None:
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    print(f"written: {path}", file=sys.stderr)


def peak_mb(usage: resource.struct_rusage | None = None) -> float:
    """Peak resident memory in MB (ru_maxrss is in KB on Linux, in bytes on macOS); None: of this process."""
    usage = usage or resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def measure_command(command: list[str]) -> dict[str, Any]:
    """Wall seconds and peak memory of a command and of nothing else; it must succeed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read().decode(errors='replace')[-2000:]}")
    return {"seconds": seconds, "peak_mb": peak_mb(usage)}


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process that computes with so many threads."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def take_turns(command: Sequence[str], names: Sequence[str], repeats: int, threads: int) -> dict[str, list[Any]]:
    """Run ``command --worker NAME`` for every name in turn, ``repeats`` times, each in a process of its own.

    Its last line of output is JSON. {name: what it printed, in order}. SystemExit when one fails.
    """
    runs: dict[str, list[Any]] = {name: [] for name in names}
    for i in range(repeats):
        for name in names:
            whole = [*command, "--worker", name]
            environment = thread_environment(threads)
            told = subprocess.run(whole, capture_output=True, text=True, check=False, env=environment)
            if told.returncode != 0:
                raise SystemExit(f"{' '.join(whole)} failed:\n{told.stderr[-2000:]}")
            runs[name].append(json.loads(told.stdout.strip().splitlines()[-1]))
            print(f"repeat {i + 1}, {name}: {runs[name][-1]}", file=sys.stderr)
    return runs
