"""What a person sees of a training run: a progress bar, ``log.jsonl``, and what trackers show."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch

from motion_platform.core.config import TrainRecipe
from motion_platform.core.errors import MotionPlatformError
from motion_platform.model.motion_model import MotionModel
from motion_platform.training import trackers


def computes_bf16() -> bool:
    """Whether PyTorch has fast kernels for bf16 on this processor: oneDNN asks for AVX-512 at least."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - there is no public name for it


class Reporter:
    """Averages losses on the device between two log lines, so that no step waits for the accelerator."""

    def __init__(self, output: Path, *, quiet: bool) -> None:
        self.output, self.steps, self.first, self.quiet = output, 0, 0, quiet
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}
        self._sequences = 0
        self._clock = self._began = time.perf_counter()
        self._log = self._bar = self._task = None
        self.trackers: trackers.Trackers | None = None

    def encoding(self, done: int, total: int) -> None:
        """Say how far the encoding of texts and recordings is (it happens once; later runs find it in the cache)."""
        if not self.quiet:
            print(f"encoded {done} of {total} inputs", file=sys.stderr, flush=True)

    def initial(self, name: str, taken: int, new: list[str]) -> None:
        """Say how much of another model the weights start from."""
        if not self.quiet:
            rest = f"; new: {', '.join(new[:5])}{' ...' if len(new) > 5 else ''}" if new else ""
            print(f"starting from {name}: {taken} of {taken + len(new)} tensors taken{rest}", flush=True)

    def forget(self) -> None:
        """Remove the logs of an earlier run in this folder."""
        if not self.quiet:
            (self.output / "log.jsonl").unlink(missing_ok=True)
            for events in (self.output / trackers.FOLDER).rglob("events.out.tfevents.*"):
                events.unlink()

    def start(self, step: int, model: MotionModel, where: str, micro: int, train: TrainRecipe) -> None:
        """Say what is about to be trained (``train``: with its steps), and open the logs."""
        self.first, self.steps = step, train.steps
        if self.quiet:
            return
        self.output.mkdir(parents=True, exist_ok=True)
        self._log = (self.output / "log.jsonl").open("a", encoding="utf-8")
        trained = sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters() if p.requires_grad)  # or in parts
        pieces = f" in {micro} micro-batches" if micro > 1 else ""
        print(
            f"training {model.card.name} ({model.card.model.name}, {trained / 1e6:.2f} M weights) on {where}: steps "
            f"{self.first} to {self.steps}, {train.batch_size} sequences a step{pieces}, precision {train.precision}"
        )
        if train.precision == "bf16" and model.device.type == "cpu" and not computes_bf16():
            print(
                "note: this processor computes bf16 much slower than float32 (20 times and more); "
                "train.precision=no is faster here",
                flush=True,
            )
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[line]}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("", total=self.steps, completed=self.first, line="")
            self._bar.start()

    def __enter__(self) -> Reporter:
        self._clock = self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        for thing, close in ((self._bar, "stop"), (self.trackers, "close"), (self._log, "close")):
            if thing is not None:
                getattr(thing, close)()

    def add(self, losses: dict[str, torch.Tensor], sequences: int) -> None:
        """Take in the detached losses of a step, without reading them."""
        self._sequences += sequences
        if self.quiet:
            return
        for key, value in losses.items():
            self._sums[key] = self._sums.get(key, 0) + value
            self._counts[key] = self._counts.get(key, 0) + 1
        if self._bar is not None:
            self._bar.advance(self._task)

    def log(self, step: int, rate: float) -> None:
        """Read the averages since the last line and write them everywhere."""
        if self.quiet:
            return
        values = {key: float(total) / self._counts[key] for key, total in self._sums.items()}
        if not math.isfinite(values["loss"]):
            raise MotionPlatformError(
                f"step {step}: the loss is {values['loss']}; lower train.learning_rate, or use train.precision=no"
            )
        now = time.perf_counter()
        values |= {"learning_rate": rate, "sequences_per_second": self._sequences / max(now - self._clock, 1e-9)}
        left = (self.steps - step) * (now - self._began) / max(step - self.first, 1)
        self._clock, self._sequences, self._sums, self._counts = now, 0, {}, {}
        self._write(step, values)
        line = f"loss {values['loss']:.4f}  {values['sequences_per_second']:,.0f} seq/s"
        if self._bar is not None:
            self._bar.update(self._task, line=line)
        else:
            print(f"step {step:>{len(str(self.steps))}}/{self.steps}  {line}  left {left / 60:.1f} min", flush=True)

    def validation(self, step: int, metrics: dict[str, float]) -> None:
        """Write what ``evaluate`` measured; its time does not count against the throughput."""
        if self.quiet:
            return
        self._write(step, {f"validation/{key}": value for key, value in metrics.items()})
        text = "  ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        (self._bar.console.print if self._bar is not None else print)(f"step {step}: validation  {text}")
        self._clock = time.perf_counter()

    def end(self, output: Path) -> None:
        """Say where things are."""
        if not self.quiet:
            took = time.perf_counter() - self._began
            print(f"trained in {took / 60:.1f} min; model: {output}  log: {output / 'log.jsonl'}")

    def _write(self, step: int, values: dict[str, Any]) -> None:
        self._log.write(json.dumps({"step": step, **values}) + "\n")
        self._log.flush()
        if self.trackers is not None:
            self.trackers.log(values, step)
