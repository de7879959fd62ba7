"""From a recording to clips that move to it, with its sound and its beats: ``motion generate TASK --music FILE``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from motion_platform.core.schema import Sampling
from motion_platform.model.run import Run
from motion_platform.motion.clip import Clip
from motion_platform.pipelines.generate import inputs_of, make


def conduct(
    run: Run,
    music: Sequence[str | Path],
    styles: Sequence[str] = (),
    *,
    seconds: float | None = None,
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Clip]:
    """Clips for each recording, ``samples`` of each, that carry its sound and events: recording 1 sample 1, ...

    styles: none, one for all, or one a recording; the task's slot that reads a label takes it. seconds: only that much
    from the beginning, conducted as a part of what goes on (``BEYOND`` more is heard); else a clip is as long as its
    recording. progress(recording, done, total) is called now and then. A clip depends on recording, style, sample
    number, seconds and seed alone. Errors: UsageError, DataError.
    """
    given, count = inputs_of(run, music=music, styles=styles)
    cut = [] if seconds is None else [seconds]
    return make(run, given, count=count, seconds=cut, samples=samples, seed=seed, sampling=sampling, progress=progress)
