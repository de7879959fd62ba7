"""From a click in the studio to a moving body, and from the printed address to the first page.

    python -m benchmarks.studio_click [--model NAME] [--text WORDS] [--seconds 4] [--clicks 5] [--out FILE.json]

Starts ``motion studio`` as a person does, and speaks to it as its page does: the call, then its job until there are
motions, then what the player plays. Every click has a seed of its own, so that nothing is answered from memory; the
first one loads what is not loaded yet and is told apart. Two numbers a click: seconds on the clock, which other work on
the machine lengthens, and seconds of processor time of the server until its numbers are there too, which it hardly
does. Exits with 1 where a page took 3 seconds, or the median warm click 1.5.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import environment, table, write_json

MOST_PAGE, MOST_CLICK = 3.0, 1.5
PARTS = ("", "page/player.css", "page/studio.css", "page/player.js", "page/studio.js")


def ask(address: str, path: str, values: dict[str, Any] | None = None) -> bytes:
    data = None if values is None else json.dumps(values).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return answer.read()


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def studio() -> Iterator[tuple[str, int, float]]:
    """(address, process, seconds from the printed address to the whole first page) of a studio of its own."""
    command = [sys.executable, "-u", "-m", "motion_platform", "studio", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        start = time.perf_counter()
        for part in PARTS:
            ask(address, part)
        yield address, process.pid, time.perf_counter() - start
    finally:
        process.terminate()
        process.wait(30)


def click(address: str, pid: int, values: dict[str, Any]) -> dict[str, float]:
    """One click: seconds until there is a body to play, until its numbers are there, and of processor time."""
    before, start = processor(pid), time.perf_counter()
    job = json.loads(ask(address, "api/generate", values))
    while not job.get("motions") and job["state"] in ("waiting", "running"):
        job = json.loads(ask(address, f"api/jobs/{job['key']}?seen={job['version']}&wait=20"))
    assert job.get("motions"), job.get("error")
    played = json.loads(ask(address, f"api/jobs/{job['key']}/player"))
    body = time.perf_counter() - start
    assert played["motions"][0]["frames"] == job["motions"][0]["frames"]
    while job["state"] in ("waiting", "running"):
        job = json.loads(ask(address, f"api/jobs/{job['key']}?seen={job['version']}&wait=20"))
    assert job["state"] == "done", job
    return {"body": body, "numbers": time.perf_counter() - start, "processor": processor(pid) - before}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="default: the task's own")
    parser.add_argument("--text", default="a person walks forward and waves")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    values: dict[str, Any] = {"task": "text_to_motion", "text": options.text, "seconds": options.seconds}
    if options.model:
        values["model"] = options.model
    with studio() as (address, pid, page):
        found = [click(address, pid, values | {"seed": seed}) for seed in range(options.clicks + 1)]
    first, warm = found[0], found[1:]
    median = {name: statistics.median(each[name] for each in warm) for name in first} if warm else first
    rows = [["first", *(f"{v:.2f}" for v in first.values())], ["warm, median", *(f"{v:.2f}" for v in median.values())]]
    print(f"address to first page: {page:.2f} s")
    print(table(rows, ["click", "body, s", "numbers, s", "processor, s"]))
    if options.out:
        write_json(options.out, {**environment(), "page": page, "first": first, "warm": warm, "asked": values})
    return int(page > MOST_PAGE or median["body"] > MOST_CLICK)


if __name__ == "__main__":
    sys.exit(main())
