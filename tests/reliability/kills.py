"""Kill the program at every step that it takes on the disk, and look at what is left.

    python tests/reliability/kills.py             # every step of every job, then random ones, until 300 trials
    python tests/reliability/kills.py --trials 40 --jobs train

A trial forks a child that works in a copy of a folder and is killed (SIGKILL: no ``finally``, no clean-up) right before
its k-th call of os.replace, rename, mkdir, rmdir, unlink or fsync. In every other trial the machine "loses its power"
too: files that were written and never brought to the disk (fsync) are cut in half, as a file system may leave them.
Then another child must find the old state or the new, never a third; the same command again must end with the numbers
of a run that nobody disturbed, bit for bit; and nothing temporary may be left.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import faulthandler
import functools
import hashlib
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
STEPS = ("replace", "rename", "mkdir", "rmdir", "unlink", "fsync")
LIMIT = 600
"""Seconds that one process may take; on a busy machine, too, a trial takes five."""
NEVER_SYNCED = {"log.jsonl", ".lock"}
"""Files that nothing is read from."""


@dataclasses.dataclass
class Job:
    """What is killed. before: makes the folder that a trial starts from. work: the command. state: "none", or a name
    of what is there, after loading it. result: what the end is compared by. allowed: the states that may be found."""

    name: str
    before: Callable[[Path], None]
    work: Callable[[Path], None]
    again: Callable[[Path], None]
    state: Callable[[Path], str]
    allowed: set[str]


# ---------------------------------------------------------------- what is killed


def toy_data(folder: Path, clips: int = 12) -> None:
    from motion_platform.data.writer import PreparedWriter

    made = np.random.default_rng(clips)
    with PreparedWriter(
        folder, name="toy", representation="humanml3d_essential", licence="none", overwrite=True
    ) as writer:
        for i in range(clips):
            x = np.cumsum(made.normal(size=(made.integers(20, 30), 67)) * 0.02, 0).astype(np.float32)
            split = ("train", "train", "test")[i % 3]
            said = [f"a person {('runs', 'walks')[i % 2]}"]
            writer.add(id=f"clip{i:03d}", split=split, source="toy", features=x, captions_high=said, captions_low=said)
        writer.finish({})


def recipe(place: Path, steps: int, *more: str) -> Any:
    from motion_platform.core import cards, config

    own = [f"data.folder={place / 'data'}", f"output={place / 'run'}"]
    own += [f"slots.{slot}.encoder=letters" for slot in ("text_high", "text_low")]
    own += ["model.settings.layers=1", "model.settings.width=16", "train.batch_size=4", "train.warmup_steps=0"]
    own += [f"train.steps={steps}", "train.save_every=1", "train.schedule=constant", "validation.every=0", *more]
    return config.load_recipe(cards.find("configs", "smoke/text_to_motion"), own)


def train(place: Path, steps: int = 3, *more: str, **how: bool) -> None:
    from motion_platform.training import train as loop

    os.environ["MOTION_CACHE"] = str(place / "cache")
    loop.run(recipe(place, steps, "train.log_with=[]", *more), "toy", device="cpu", quiet=True, **how)


def train_again(place: Path) -> None:
    train(place, resume=(place / "run" / "resume" / "state.pt").exists())


def model_state(place: Path) -> str:
    """The step of the model that loads, which must be the step of the state that a run goes on from."""
    import torch

    from motion_platform.core.files import settle
    from motion_platform.model.run import load_run

    os.environ["MOTION_CACHE"] = str(place / "cache")
    settle(place / "run" / "model.yaml")
    if not (place / "run" / "model.yaml").exists():
        assert not (place / "run" / "model.safetensors").exists()
        return "none"
    model = load_run(place / "run").model
    state = torch.load(place / "run" / "resume" / "state.pt", weights_only=True)
    assert state["step"] == model.card.step, (state["step"], model.card.step)
    return f"step {model.card.step}"


def old_run(place: Path) -> None:
    """Another run, of another seed, that lies where the new one goes."""
    train(place, 1, "seed=77")


def bvh_folder(place: Path) -> None:
    source = place / "bvh"
    source.mkdir()
    made = ROOT / "motion_platform" / "sample" / "bandai-namco"
    for name in ("walk_normal", "run_normal"):
        found = next(made.glob(f"*_{name}_*"))
        shutil.copy(found, source / f"{name}.bvh")
        (source / f"{name}.txt").write_text("a person moves\n")


def prepare(place: Path, **how: bool) -> None:
    from motion_platform.data.sources.bvh_folder import BVHFolder

    BVHFolder().prepare(place / "bvh", place / "data", workers=1, **how)


def set_state(place: Path) -> str:
    from motion_platform.data.prepared import PreparedDataset
    from motion_platform.model.run import DataRecipe, open_data

    if not (place / "data").exists() and not (place / ".data.commit").exists():
        return "none"
    found = open_data(DataRecipe(name="bvh_folder", folder=str(place / "data")))
    assert isinstance(found, PreparedDataset)
    return f"{found.name}: {len(found)} clips"


def benchmark(place: Path, seed: int) -> list[Any]:
    from motion_platform.core.config import MetricRecipe
    from motion_platform.evaluation import benchmark as engine

    os.environ["MOTION_CACHE"] = str(place / "cache")
    described = engine.Benchmark(
        tasks=["text_to_motion"], entries=[engine.Entry(model=str(place / "run"), steps=2)], data="toy", seeds=[seed],
        folder=str(place / "data"), split="test", repeats=1, metrics=[MetricRecipe(name="jerk")], bounds=["mean_pose"],
        shown=1,
    )  # fmt: skip
    return engine.run(engine.Job(described, place / "out", quiet=True))


def evaluate(place: Path, seed: int = 1) -> None:
    from motion_platform.evaluation import results

    (place / "results").mkdir(exist_ok=True)
    rows = [cell.row for cell in benchmark(place, seed)]
    for row in rows:  # how long it took differs from run to run
        row.facts = {key: value for key, value in row.facts.items() if key in ("name", "seed", "samples", "metrics")}
    results.save(place / "results" / "e.json", rows, {"task": "text_to_motion", "seed": seed})


def result_state(place: Path) -> str:
    from motion_platform.core.files import settle
    from motion_platform.evaluation import results

    settle(place / "results" / "e.json")
    for cell in (place / "out" / "cells").glob("*.json"):
        results.load(cell)
    if not (place / "results" / "e.json").exists():
        return "none"
    return f"seed {results.load(place / 'results' / 'e.json')[0]['seed']}"


def started(place: Path) -> None:
    toy_data(place / "data")


def trained(place: Path) -> None:
    started(place)
    train(place, 1)


def measured(place: Path) -> None:
    trained(place)
    evaluate(place, 0)
    shutil.rmtree(place / "out")


JOBS = {
    job.name: job
    for job in (
        Job("train", started, train, train_again, model_state, {"none", "step 1", "step 2", "step 3"}),
        Job(
            "train over another run",
            lambda place: (started(place), old_run(place)),  # type: ignore[arg-type]
            lambda place: train(place, overwrite=True),
            lambda place: train(place, overwrite=True),
            model_state,
            {"step 1", "step 2", "step 3"},
        ),
        Job("resume", trained, train_again, train_again, model_state, {"step 1", "step 2", "step 3"}),
        Job("prepare", bvh_folder, prepare, lambda place: prepare(place, overwrite=True), set_state,
            {"none", "bvh_folder: 4 clips"}),
        Job(
            "prepare over another set",
            lambda place: (bvh_folder(place), started(place)),  # type: ignore[arg-type]
            lambda place: prepare(place, overwrite=True),
            lambda place: prepare(place, overwrite=True),
            set_state,
            {"toy: 12 clips", "bvh_folder: 4 clips"},
        ),
        Job("evaluate over another result", measured, evaluate, evaluate, result_state, {"seed 0", "seed 1"}),
    )
}  # fmt: skip


def fingerprint(place: Path) -> dict[str, str]:
    """Name -> sha256 of what a job made: arrays, weights and states by their numbers, other files by their bytes."""
    import torch

    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.is_dir() or name.startswith(("cache/", "bvh/")) or path.name in {*NEVER_SYNCED, "state.json"}:
            continue
        data = path.read_bytes()
        if path.name == "state.pt":
            data = repr(flat(torch.load(path, weights_only=True))).encode()
        elif path.name == "meta.json":
            continue  # says how long it took; the Arrow files are compared
        elif name.startswith("out/"):
            continue  # seconds, too; results/ holds the numbers of them
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def flat(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return [(str(key), flat(each)) for key, each in value.items()]
    return [flat(each) for each in value] if isinstance(value, (list, tuple)) else value


# ---------------------------------------------------------------- how it is killed


class Hung(AssertionError):
    """A process that has not ended within LIMIT seconds: which, and where it stands."""


def in_child(work: Callable[[], Any], what: str = "a process") -> tuple[int, Any]:
    """(exit status, what it returned or the text of its error) of a call in a forked process.

    Errors: Hung, with the stacks of all its threads, when it has not ended after LIMIT seconds; it is killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer, stacks = Path(folder) / "answer", Path(folder) / "stacks"
        number = os.fork()
        if number == 0:
            status = 1
            try:
                os.setpgid(0, 0)
                faulthandler.register(signal.SIGUSR1, file=stacks.open("w"), all_threads=True)
                answer.write_bytes(pickle.dumps(work()))
                status = 0
            except BaseException:
                answer.write_bytes(pickle.dumps(traceback.format_exc()))
            finally:
                os._exit(status)
        status = _wait(number, what, stacks)
        return status, pickle.loads(answer.read_bytes()) if answer.exists() else None


def _wait(number: int, what: str, stacks: Path) -> int:
    """The exit status of a process; those that it has started die with it, as they do when a machine does."""
    end = time.monotonic() + LIMIT
    while True:
        found, status = os.waitpid(number, os.WNOHANG)
        hung = not found and time.monotonic() > end
        if hung:
            os.kill(number, signal.SIGUSR1)
            time.sleep(2)
        if found or hung:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)
        if hung:
            os.waitpid(number, 0)
            raise Hung(f"{what} (process {number}) hangs after {LIMIT} s at\n{stacks.read_text()}")
        if found:
            return status
        time.sleep(0.02)


def watched(work: Callable[[], None], last: int | None, synced: Path | None = None) -> int:
    """Do the work and count its steps on the disk; killed before step ``last`` + 1 (None: not at all)."""
    count, done = 0, set()

    def step(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            if last is not None and count == last:
                if synced is not None:
                    synced.write_bytes(pickle.dumps(done))
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            if name == "fsync":
                done.add(os.fstat(arguments[0]).st_ino)
            return real(*arguments, **more)

        return call

    for name in STEPS:
        setattr(os, name, step(name, getattr(os, name)))
    work()
    return count


def lose_power(place: Path, synced: set[int], before: set[int]) -> int:
    """Cut files in half that were written since and never brought to the disk; how many."""
    lost = [
        path
        for path in place.rglob("*")
        if path.is_file() and path.name not in NEVER_SYNCED and path.stat().st_ino not in synced | before
    ]
    for path in lost:
        os.truncate(path, path.stat().st_size // 2)
    return len(lost)


def left_over(place: Path) -> list[str]:
    return [path.name for path in place.rglob(".*") if path.name.endswith(".commit") or ".tmp" in path.name]


class Harness:
    """A job, the folder that its trials start from, and what comes out when nobody disturbs it."""

    def __init__(self, job: Job, place: Path) -> None:
        self.job, self.place = job, place
        self.base = place / "base"
        self.base.mkdir(parents=True)
        self.work = place / "work"  # the same for all trials: its path is part of a recipe
        self._copy(self.base, make=True)
        self.steps = self._must(lambda: watched(lambda: job.work(self.work), None))
        self.expected = self._must(lambda: fingerprint(self.work))

    def _must(self, call: Callable[[], Any]) -> Any:
        status, answer = in_child(call)
        if status:
            raise RuntimeError(f"{self.job.name}: {answer}")
        return answer

    def _copy(self, base: Path, make: bool = False) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        if make:
            self.work.mkdir()
            self._must(lambda: self.job.before(self.work))
            shutil.copytree(self.work, base, dirs_exist_ok=True)
        else:
            shutil.copytree(base, self.work)

    def trial(self, last: int, power: bool) -> str:
        """The state that was found. Raises AssertionError with what is wrong."""
        self._copy(self.base)
        before = {path.stat().st_ino for path in self.work.rglob("*")}
        synced = self.place / "synced"
        status, said = in_child(lambda: watched(lambda: self.job.work(self.work), last, synced), "the killed one")
        assert status == signal.SIGKILL, f"was not killed: {said}"
        if power:
            lose_power(self.work, pickle.loads(synced.read_bytes()), before)
        status, found = in_child(lambda: self.job.state(self.work), "the one that loads")
        assert status == 0, f"cannot be loaded: {found}"
        assert found in self.job.allowed, f"is a third state: {found}"
        status, said = in_child(lambda: self.job.again(self.work), "the one that goes on")
        assert status == 0, f"cannot go on: {said}"
        status, end = in_child(lambda: fingerprint(self.work), "the one that compares")
        assert status == 0, end
        other = sorted(name for name in end.keys() | self.expected.keys() if end.get(name) != self.expected.get(name))
        assert not other, f"ends otherwise than undisturbed: {other}"
        assert not left_over(self.work), f"left over: {left_over(self.work)}"
        return found


def run(
    names: list[str], trials: int, place: Path, say: Callable[[str], None] = functools.partial(print, flush=True)
) -> tuple[Counter, list[str]]:
    """(how many trials found which state, what went wrong); every step of every job once, if trials are enough."""
    harnesses = [Harness(JOBS[name], place / name.replace(" ", "_")) for name in names]
    steps = [(harness, k) for harness in harnesses for k in range(harness.steps)]
    say(f"{len(steps)} steps on the disk in {len(harnesses)} jobs")
    drawn = random.Random(0)
    if len(steps) > trials:
        steps = drawn.sample(steps, trials)
    else:
        steps += [steps[drawn.randrange(len(steps))] for _ in range(trials - len(steps))]
    found: Counter = Counter()
    wrong = []
    for number, (harness, k) in enumerate(steps):
        power = number % 2 == 1
        try:
            state = harness.trial(k, power)
        except AssertionError as error:
            state = "WRONG"
            wrong.append(f"{harness.job.name}, step {k} of {harness.steps}{', power cut' if power else ''}: {error}")
            say(wrong[-1])
        found[harness.job.name, state] += 1
        if number % 25 == 24:
            say(f"{number + 1} of {len(steps)} trials, {len(wrong)} wrong")
    return found, wrong


def warm() -> None:
    """Import what the children need: each would do it again."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "fixtures" / "plugin")]
    import torch

    from motion_platform.core.catalog import CATALOG

    CATALOG["encoders"]["letters"] = "motion_plugin_example:LettersEncoder"
    torch.set_num_threads(1)
    import motion_plugin_example  # noqa: F401

    import motion_platform.data.sources.bvh_folder
    import motion_platform.evaluation.benchmark
    import motion_platform.training.train  # noqa: F401


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), choices=list(JOBS))
    chosen = parser.parse_args()
    warm()
    with tempfile.TemporaryDirectory() as folder:
        found, wrong = run(chosen.jobs, chosen.trials, Path(folder))
    for (job, state), count in sorted(found.items()):
        print(f"{job:30} {state:24} {count:4}")
    print(f"{sum(found.values())} kills, {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
