"""The Python face: ``motion_platform.load("text_to_motion")("a person walks", seconds=4)[0].save("walk.html")``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Sampling
from motion_platform.model.run import Run
from motion_platform.motion.clip import Clip

if TYPE_CHECKING:
    from motion_platform.core.contracts import MotionTokenizer


def load(task: str, model: str | Path | None = None, *, device: str = "auto") -> Pipeline:
    """The model of a task, ready to be called: the named one (a shipped name, a checkpoint folder, the hub's
    owner/name), or the task's default. ``task`` may also be the name or folder of a model: then its own task.

    device: "cpu", "cuda", "cuda:1", "mps", or "auto": the best one here. Errors: UnknownName, UsageError, WeightsError.
    """
    from motion_platform.core import cards, weight_files
    from motion_platform.model.run import find_device, load_run
    from motion_platform.pipelines import generate

    chosen = find_device(device)
    is_task = task in cards.names("tasks") or Path(task).suffix == ".yaml"
    if model is None and not is_task and (task in weight_files.shipped() or Path(task).is_dir()):
        return Pipeline(load_run(task, device=chosen))
    return Pipeline(generate.load(task, None if model is None else str(model), chosen, generates=False))


class Pipeline:
    """A model and its task. Call it to make motion; its methods caption, edit, measure length, and search.

    run: the model (``run.model``), the task's card (``run.task``) and the data that it was trained on.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        card = self.run.model.card
        reads = ", ".join(f"{slot}: {kind}" for slot, kind in self.run.task.reads.items())
        return f"Pipeline({self.run.task.task}, model {card.name}, reads {reads or 'nothing'})"

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        *,
        low_text: str | Sequence[str] | None = None,
        music: str | Path | Sequence[str | Path] | None = None,
        style: str | Sequence[str] | None = None,
        give: Mapping[str, Any] = {},
        motion: Clip | str | Path | None = None,
        timeline: str | Path | Sequence[Any] | None = None,
        plan: str = "rules",
        strict: bool = False,
        seconds: float | Sequence[float] | None = None,
        samples: int = 1,
        seed: int = 0,
        guidance: float | Mapping[str, float] | None = None,
        sampler: str | None = None,
        steps: int | None = None,
        amplitude: float = 1.0,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> list[Clip]:
        """Clips for every input and sample, in the order input 1 sample 1, input 1 sample 2, ...

        text, low_text, music, style: the usual slots by their short names, one value or several. give: any slot of
        the task's card -> its value, or a list of them. motion: for a task that completes a motion. timeline: texts
        with seconds for one motion, [("walk forward", 3), ("bow", 2)] or what ``--timeline`` takes, instead of all
        these. plan: who takes a sentence of several actions apart, "none": nobody. strict: a sentence unlike what the
        model knows is an error; else the clip carries what is said of it (``info["unfamiliar"]``). seconds: how long
        (default: as such a motion, or the recording, lasts). guidance: one weight for all slots, or slot -> weight.
        Errors: UsageError, UnknownName, DataError; the messages name the command's options, which are these words
        with dashes.
        """
        from motion_platform.pipelines import edits, generate, planning
        from motion_platform.pipelines import timeline as timelines

        sampling = self._sampling(guidance, sampler, steps, amplitude)
        lengths = _several(seconds)
        if timeline is not None:
            if any(value is not None for value in (text, low_text, music, style, motion)) or give:
                raise UsageError("--timeline: is all that is said of a motion; give it without texts, music and motion")
            written = [timelines.read_timeline(timeline)]
            return timelines.make(
                self.run,
                written,
                seconds=lengths,
                samples=samples,
                seed=seed,
                sampling=sampling,
                progress=progress,
                strict=strict,
            )
        if motion is not None:
            if music is not None or style is not None or give:
                raise UsageError("--motion: a completed motion takes texts beside it, no music, style and --give")
            return edits.complete(
                self.run,
                _clip(motion),
                texts=_several(text),
                low_texts=_several(low_text),
                seconds=lengths,
                samples=samples,
                seed=seed,
                sampling=sampling,
            )
        if text is not None and music is None and style is None and not give:
            return planning.make(
                self.run,
                _several(text),
                _several(low_text),
                plan=plan,
                strict=strict,
                seconds=lengths,
                samples=samples,
                seed=seed,
                sampling=sampling,
                progress=progress,
            )
        given, count = generate.inputs_of(
            self.run,
            texts=_several(text),
            low_texts=_several(low_text),
            music=_several(music),
            styles=_several(style),
            give={slot: _several(value) for slot, value in give.items()},
        )
        return generate.make(
            self.run,
            given,
            count=count,
            seconds=lengths,
            samples=samples,
            seed=seed,
            sampling=sampling,
            progress=progress,
        )

    def edit(
        self,
        clip: Clip | str | Path,
        *,
        keep: str | None = None,
        text: str | None = None,
        low_text: str | None = None,
        seconds: float | None = None,
        keep_seconds: float = 1.0,
        frames: Sequence[int] = (),
        samples: int = 1,
        seed: int = 0,
        guidance: float | Mapping[str, float] | None = None,
        sampler: str | None = None,
        steps: int | None = None,
    ) -> list[Clip]:
        """``samples`` motions that keep ``keep`` of a clip ("prefix", "in_between", "upper_body", "lower_body",
        "keyframes"; None: what the task's card says) and make the rest anew. Errors: UsageError, DataError."""
        from motion_platform.pipelines import edits

        return edits.edit(
            self.run,
            _clip(clip),
            keep,
            text,
            low_text,
            seconds=seconds,
            keep_seconds=keep_seconds,
            frames=frames,
            samples=samples,
            seed=seed,
            sampling=self._sampling(guidance, sampler, steps, 1.0),
        )

    def caption(
        self, clips: Clip | str | Path | Sequence[Clip | str | Path], *, samples: int = 1, seed: int = 0
    ) -> list[str]:
        """What motions show: a sentence for each, sample by sample. UsageError for a model that has no words."""
        from motion_platform.pipelines import caption

        each = [_clip(clip) for clip in (clips if isinstance(clips, (list, tuple)) else [clips])]
        return [found.text for found in caption.caption_clips(self.run, each, samples=samples, seed=seed)]

    def seconds(self, text: str | Sequence[str]) -> list[float]:
        """How long motions of these sentences last. UsageError for a model that has not learned it."""
        from motion_platform.pipelines import generate

        return generate.natural_seconds(self.run, _several(text))

    def tokens(self, clip: Clip | str | Path) -> list[list[int]]:
        """A motion as codes, one list a step (for a motion tokenizer). UsageError for a model that is none."""
        from motion_platform.pipelines import tokens

        self._check_tokenizer()
        return tokens.tokenize(self.run, [_clip(clip)])[0].ids.tolist()

    def from_tokens(self, tokens: Sequence[Sequence[int]]) -> Clip:
        """The motion that codes stand for. DataError for a number that is no code."""
        import torch

        from motion_platform.pipelines import tokens as engine

        stride = self._check_tokenizer().stride
        ids = torch.tensor([list(step) for step in tokens], dtype=torch.int64)
        return engine.detokenize(self.run, [engine.Written("motion", len(ids) * stride, ids)])[0]

    def _check_tokenizer(self) -> MotionTokenizer:
        from motion_platform.core.contracts import MotionTokenizer

        tokenizer = self.run.model.trainable
        if not isinstance(tokenizer, MotionTokenizer):
            raise UsageError(f"{self.run.model.card.name} is a {self.run.model.card.model.name}, no motion tokenizer")
        return tokenizer

    def _sampling(
        self,
        guidance: float | Mapping[str, float] | None,
        sampler: str | None,
        steps: int | None,
        amplitude: float,
    ) -> Sampling:
        if guidance is None:
            weights: Mapping[str, float] = {}
        else:
            weights = guidance if isinstance(guidance, Mapping) else dict.fromkeys(self.run.model.guided, guidance)
        return Sampling(guidance=weights, sampler=sampler, steps=steps, amplitude=amplitude)


def _several(value: Any) -> list[Any]:
    """Nothing, one value or several, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _clip(value: Any) -> Clip:
    """A clip as it is, or the motion of a file."""
    from motion_platform.motion import io

    return value if isinstance(value, Clip) else io.load(value)
