"""Read damaged files of every kind, and count what is not one line of the project's own error.

    python tests/reliability/fuzz.py --inputs 10000                 # a table; findings are kept in --keep FOLDER
    python tests/reliability/fuzz.py --inputs 500 --only midi sound

Each input is made from a good file by a seeded mutation (mutators.py) and read in a child process whose memory is
limited (RLIMIT_AS, 1 GB above what the program itself takes) and whose processor time for one input is, too (5 s).
What can come of it: a clean error; accepted; and four that must not be: *foreign* (any exception but
MotionPlatformError), *garbage* (accepted, but not what can be meant: ``wrong`` in targets.py), *hang*, *dead* (the
process is gone). Inputs are numbered: ``--only NAME --first N --inputs 1`` makes number N again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS = 5.0
MEMORY = 1 << 30
LARGEST = 4 << 20
A_CHILD = 150
"""Inputs that one child reads."""
BAD = ("foreign", "garbage", "hang", "dead")


class Hang(BaseException):
    pass


def warm() -> None:
    """Import what the children need, once; name the modules beside this file, which are no package."""
    import importlib.util

    sys.path.insert(0, str(HERE.parents[1]))
    for name in ("mutators", "targets"):
        spec = importlib.util.spec_from_file_location(f"reliability_{name}", HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"reliability_{name}"] = module
        spec.loader.exec_module(module)
    import torch

    torch.set_num_threads(1)
    import logging

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def make(target, seeds: list[bytes], number: int) -> tuple[int, bytes]:
    """(which seed, the damaged content) of input ``number``."""
    drawn = random.Random(f"{target.name} {number}")
    which = drawn.randrange(len(seeds))
    data = seeds[which]
    for _ in range(drawn.choice((1, 1, 1, 2, 3))):
        try:
            data = drawn.choice(target.how)(data, drawn)[:LARGEST]
        except Exception:  # a mutation that needs a whole file, after one that has left none
            data = data[: drawn.randrange(len(data) + 1)]
    return which, data


def one(target, folder: Path, files: list[Path], seeds: list[bytes], number: int) -> tuple[str, str]:
    """(what came of it, what to say) of one input, read in this process."""
    from motion_platform.core.errors import MotionPlatformError

    which, data = make(target, seeds, number)
    for path, good in zip(files, seeds, strict=True):
        path.write_bytes(good)
    files[which].write_bytes(data)
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        found = target.load(files[which])
        signal.setitimer(signal.ITIMER_PROF, 0)
        why = target.wrong(found)
        return ("accepted", "") if why is None else ("garbage", why)
    except MotionPlatformError as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if "\n" in str(error) or len(str(error)) > 2000:
            return "foreign", f"an error of {len(str(error))} characters"
        return "clean", ""
    except Hang:
        return "hang", f"{time.process_time() - began:.1f} s"
    except BaseException:
        signal.setitimer(signal.ITIMER_PROF, 0)
        said = traceback.format_exc().splitlines()
        place = [line.strip() for line in said if "motion_platform" in line]
        return "foreign", f"{said[-1][:120]} <- {place[-1] if place else ''}"


def child(target, seeds_from: Path, files: list[Path], numbers: range, answers: Path) -> None:
    """Read inputs, and write down what came of each before the next is begun."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.dup2(null, 1)

    def stop(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, stop)
    with tempfile.TemporaryDirectory(dir=seeds_from.parent) as place, answers.open("ab", buffering=0) as out:
        work = Path(place) / "work"
        for number in numbers:
            if not work.exists():
                shutil.copytree(seeds_from, work)
            here = [work / path.relative_to(seeds_from) for path in files]
            out.write(pickle.dumps((number, "dead", "")))
            out.write(pickle.dumps((number, *one(target, work, here, [f.read_bytes() for f in files], number))))
            for other in (path.with_name("meta.json") for path in here):  # what a reader that vouches has changed
                good = seeds_from / other.relative_to(work)
                if good.exists():
                    shutil.copy(good, other)
            for other in (*work.rglob("model.yaml"), *work.rglob("e.json"), *work.rglob("e.npz")):
                shutil.copy(seeds_from / other.relative_to(work), other)


def fuzz(target, first: int, count: int, keep: Path | None = None) -> tuple[Counter, list[tuple[int, str, str]]]:
    """(what came how often, [(number, what, why)] of what must not be) of ``count`` inputs of a target."""
    counts: Counter = Counter()
    findings = []
    with tempfile.TemporaryDirectory() as place:
        seeds = Path(place) / "seeds"
        seeds.mkdir()
        files = target.seeds(seeds)
        good = [path.read_bytes() for path in files]
        for path in files:  # a seed that is refused would make all of this say nothing
            copy = Path(place) / "good"
            shutil.copytree(seeds, copy)
            found = target.load(copy / path.relative_to(seeds))
            assert target.wrong(found) is None, f"{target.name}: the good file {path.name}: {target.wrong(found)}"
            shutil.rmtree(copy)
        at, end = first, first + count
        while at < end:
            answers = Path(place) / "answers"
            answers.unlink(missing_ok=True)
            number = os.fork()
            if number == 0:
                try:
                    child(target, seeds, files, range(at, min(end, at + A_CHILD)), answers)
                finally:
                    os._exit(0)
            _wait(number)
            said: dict[int, tuple[str, str]] = {}
            with contextlib.suppress(EOFError, FileNotFoundError), answers.open("rb") as file:
                while True:
                    which, what, why = pickle.load(file)
                    said[which] = what, why
            if not said:
                raise RuntimeError(f"{target.name}: a child said nothing")
            at = max(said) + 1
            for which, (what, why) in said.items():
                counts[what] += 1
                if what in BAD:
                    findings.append((which, what, why))
                    if keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        seed, data = make(target, good, which)
                        name = f"{target.name.replace(' ', '_').replace(':', '')}-{which}-{what}{files[seed].suffix}"
                        (keep / name).write_bytes(data)
    return counts, findings


def _wait(number: int, limit: float = 600.0) -> None:
    """Wait for a child; one that does not even answer its timer is killed, which counts as dead."""
    end = time.monotonic() + limit
    while os.waitpid(number, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)
            return
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="over all kinds together")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    warm()
    from reliability_targets import TARGETS

    targets = [target for target in TARGETS if not chosen.only or target.name in chosen.only]
    share = chosen.inputs / sum(target.share for target in targets)
    rows: dict[str, Counter] = {}
    for target in targets:
        counts, findings = fuzz(target, chosen.first, max(1, round(share * target.share)), chosen.keep)
        print(f"{target.name:26} {dict(counts)}", flush=True)
        kinds: dict[tuple[str, str], list[int]] = {}
        for number, what, why in findings:
            kinds.setdefault((what, why), []).append(number)
        for (what, why), numbers in list(kinds.items())[:12]:
            print(f"    {what} x{len(numbers)}, first {numbers[0]}: {why}", flush=True)
        rows.setdefault(target.group, Counter()).update(counts)
    total: Counter = Counter()
    print(f"\n| {'kind':46} | inputs | clean | accepted | foreign | garbage | hang | dead |")
    for group, counts in [*rows.items(), ("all", total)]:
        total.update(counts if group != "all" else {})
        columns = [sum(counts.values()), *(counts[key] for key in ("clean", "accepted", *BAD))]
        print(f"| {group:46} | " + " | ".join(map(str, columns)) + " |")
    sys.exit(any(total[what] for what in BAD))


if __name__ == "__main__":
    main()
