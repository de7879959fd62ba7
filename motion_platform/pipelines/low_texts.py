"""Low-level text that a planner makes of the caption: ``--low-text @llm``, another one for every sample.

A model of two texts reads the caption as it is, and beside it what a planner says of it (Ribeiro-Gomes et al. 2024,
section 3.3): samples of one caption differ in what is done, and not in how alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Sampling
from motion_platform.model.run import Run
from motion_platform.motion.clip import Clip
from motion_platform.pipelines import generate
from motion_platform.pipelines.planner_names import planner_of
from motion_platform.pipelines.texts import PLANNER_MARK, slots_of


def asks_planner(low_texts: Sequence[str | None]) -> bool:
    """Whether any low-level text is the name of a planner."""
    return any(low is not None and low.startswith(PLANNER_MARK) for low in low_texts)


def make(
    run: Run,
    texts: Sequence[str | None],
    low_texts: Sequence[str | None],
    *,
    seconds: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Clip]:
    """:func:`generate.run` where a low-level text may be ``@`` and a planner's name.

    Sample s of a text has the planner's sample s, and is the motion that the seed ``seed + s`` makes of both texts.
    say: takes a line for each text that was made. Errors: UsageError, UnknownName, those of the planners.
    """
    if samples < 1:
        raise UsageError(f"--samples: got {samples}; at least 1 is needed")
    lows = generate.spread(list(low_texts), len(texts), "--low-text")
    names = [low.removeprefix(PLANNER_MARK) if low and low.startswith(PLANNER_MARK) else None for low in lows]
    if any(name is not None and not text for name, text in zip(names, texts, strict=True)):
        raise UsageError("--low-text: a planner makes it of the text; give --text")
    slots_of(run, texts, ["known" if name else low for name, low in zip(names, lows, strict=True)])
    planners = {name: planner_of(name, "--low-text") for name in dict.fromkeys(names) if name is not None}
    made: list[list[Clip]] = []
    for sample in range(samples):
        filled = list(lows)
        for k, name in enumerate(names):
            if name is not None:
                filled[k] = planners[name].plan([str(texts[k])], sample=sample, seed=seed)[0].low_text()
                if say is not None:
                    say(f"low-level text of {texts[k]!r} by {name}: {filled[k]}")
        made.append(
            generate.generate_texts(
                run, texts, filled, seconds=seconds, seed=seed + sample, sampling=sampling, progress=progress
            )
        )
    clips = [made[sample][k] for k in range(len(texts)) for sample in range(samples)]
    return [clip.with_(name=f"motion_{number:03d}") for number, clip in enumerate(clips, 1)]
