"""Metrics and the spaces that they measure in; every motion and caption is embedded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from motion_platform.core import registry
from motion_platform.core.config import MetricRecipe
from motion_platform.core.contracts import Embeddings, Metric, Space, clip_of
from motion_platform.core.errors import ConfigError, DataError, MotionPlatformError, UsageError, WeightsError
from motion_platform.core.schema import Batch, Motion
from motion_platform.core.settings import settings_of
from motion_platform.evaluation.sources import Source
from motion_platform.evaluation.testset import Item, TestSet
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import load_run

ITSELF = ""
"""The name of the space that is measured itself."""
READS: dict[str | None, tuple[str, ...]] = {
    "space": ("motion",),
    "truth": ("motion", "truth"),
    "text": ("motion", "text"),
    "labels": ("labels",),
    "sync": ("sync",),
    "beats": ("beats",),
    None: (),
}
"""What a metric needs of a space -> the parts of :class:`Embeddings` that this is."""


@dataclass
class Judge:
    """A metric of a card. label: its name, with ``@space`` where the card has it in several spaces."""

    recipe: MetricRecipe
    label: str
    space: str | None

    def __post_init__(self) -> None:
        self.cls = registry.get("metrics", self.recipe.name)
        self.seeded = "seed" in settings_of(self.cls) and "seed" not in self.recipe.settings
        self.metric = self.build(0)
        self.needs = self.metric.needs

    def build(self, seed: int) -> Metric:
        """The metric, with what depends on chance drawn from ``seed``."""
        settings = dict(self.recipe.settings)
        if self.seeded:
            settings["seed"] = seed % 2**32
        return registry.build("metrics", self.recipe.name, settings, where=f"metric {self.recipe.name}")

    def seed(self, seed: int) -> Metric:
        """The metric with another seed from here on. One that keeps its setting under its name, ``seed``, stays the
        same object, with all that it has loaded and read; any other is built anew."""
        if self.seeded and hasattr(self.metric, "seed"):
            self.metric.seed = seed % 2**32
        elif self.seeded:
            self.metric = self.build(seed)
        return self.metric

    @property
    def group(self) -> tuple[int, int | None]:
        """(predictions a clip, number of clips or None): metrics of one group look at the same motions."""
        return self.metric.generations, self.metric.clips

    def value_name(self, value: str) -> str:
        """The name of a value in the results."""
        return value + self.label.removeprefix(self.recipe.name)


class Judges:
    """All metrics of an evaluation and their spaces. own: the model that is measured, when it is a space. writes: what
    is judged. Captions are also judged by metrics of motion and text in a space, with the real motion beside them.

    lenient: a metric that does not fit is left out, and ``refused`` says why; else it is an error.

    Errors: those of the registry; UsageError for a metric that needs a space and names none, or one of another kind or
    skeleton; ConfigError for one that is named twice.
    """

    def __init__(
        self,
        metrics: Sequence[MetricRecipe],
        test: TestSet,
        *,
        own: MotionModel | None = None,
        device: str = "cpu",
        writes: str = "motion",
        lenient: bool = False,
    ) -> None:
        self.test = test
        self.spaces: dict[str, Any] = {}  # MotionModel, whose trainable is a Space
        self.refused: dict[str, str] = {}
        kind = {"captions": "caption", "lengths": "length"}.get(writes, "motion")
        names = [metric.name for metric in metrics]
        self.all: list[Judge] = []
        for metric in metrics:
            label = f"{metric.name}@{metric.space}" if names.count(metric.name) > 1 and metric.space else metric.name
            if label in [*(judge.label for judge in self.all), *self.refused]:
                raise ConfigError(f"metrics: {label} is there twice")
            try:
                self.all.append(self._judge(metric, label, kind, own, device))
            except (UsageError, WeightsError) as error:
                if not lenient:
                    raise
                self.refused[label] = str(error)
        if not self.all and self.refused:
            raise UsageError("; ".join(self.refused.values()))
        self._truth: dict[str, dict[int, Tensor]] = {}
        self._seed = 0
        self._text: dict[str, dict[int, Tensor]] = {}
        self._captions: dict[str, dict[int, str]] = {}
        self._fixed: dict[tuple[str, str], dict[str, Tensor]] = {}
        self._batch_of = {row: items for items in test.batches for row, _ in items}

    def _judge(self, metric: MetricRecipe, label: str, kind: str, own: MotionModel | None, device: str) -> Judge:
        """The metric with its space, looked at once. Errors: UsageError for one that does not fit."""
        space, needs = metric.space, registry.get("metrics", metric.name).needs
        if needs is not None and space is None:
            if own is None or not isinstance(own.trainable, Space):
                raise UsageError(f"metric {metric.name}: needs a {needs}; write space: NAME_OR_FOLDER beside it")
            space = ITSELF
        if needs is None and space is not None:
            raise UsageError(f"metric {metric.name}: looks at motions themselves; leave out its space {space}")
        judge = Judge(metric, label, space)
        if judge.metric.judges != kind and not (kind == "caption" and needs == "text"):
            raise UsageError(f"metric {metric.name}: judges {judge.metric.judges}s, and these are {kind}s")
        if space is None:
            return judge
        model = self.spaces.get(space)
        if model is None:
            model = own if own is not None and space == ITSELF else load_run(space, device=device).model
        seen = model.trainable
        if not isinstance(seen, Space):
            raise UsageError(f"metric {metric.name}: {space} is no space that embeds motion")
        theirs, ours = model.spec, self.test.spec
        if theirs.skeleton != ours.skeleton and seen.sees_motion:
            raise UsageError(
                f"metric {metric.name}: space {space or 'itself'} sees skeleton {theirs.skeleton}, these motions have "
                f"{ours.skeleton}; name a space of theirs: --metrics {metric.name}=SPACE"
            )
        if "motion" in READS[needs] and not seen.sees_motion:
            raise UsageError(f"metric {metric.name}: space {space or 'itself'} does not embed motion")
        if needs == "text" and (not model.card.slots or not seen.embeds_conditions()):
            raise UsageError(
                f"metric {metric.name}: space {space or 'itself'} does not embed what a motion is made from"
            )
        for needed, can, what in (
            ("labels", "classify", "does not classify"),
            ("sync", "sync_scores", "does not compare motion with sound"),
            ("beats", "track", "does not track beats"),
        ):
            if needs == needed and not hasattr(seen, can):
                raise UsageError(f"metric {metric.name}: space {space or 'itself'} {what}")
        if needs in ("text", "sync", "beats") and (why := self.test.cannot_fill(list(model.card.slots))) is not None:
            raise UsageError(f"metric {metric.name}: space {space or 'itself'} reads {why}")
        self.spaces[space] = model
        return judge

    def slots(self) -> set[str]:
        """Slots of all spaces, as far as the data fills them."""
        every = {slot for model in self.spaces.values() for slot in model.card.slots}
        return {slot for slot in every if self.test.cannot_fill([slot]) is None}

    @torch.no_grad()
    def see(
        self,
        judges: Sequence[Judge],
        source: Source,
        motion: Motion,
        batch: Batch,
        items: Sequence[Item],
        asked: Sequence[int] | None,
        captions: Sequence[str] | None = None,
        seed: int = 0,
    ) -> tuple[dict[str, Embeddings], dict[str, str]]:
        """(space -> what it sees in a batch, as far as one of ``judges`` reads it; label -> why a judge sees nothing).

        captions: generated ones, which are then the text beside the real motion. seed: of the repeat, for captions that
        are drawn."""
        if seed != self._seed and self.test.captions == "random":
            self._text.clear()  # every repeat has captions of its own
            self._captions.clear()
        self._seed = seed
        seen: dict[str, Embeddings] = {}
        refused: dict[str, str] = {}
        rows = [row for row, _ in items]
        for name in dict.fromkeys(judge.space for judge in judges if judge.space is not None):
            members = [judge for judge in judges if judge.space == name]
            embeddings = seen[name] = Embeddings()
            if captions is not None:
                parts: dict[str, Callable[[], None]] = {
                    "said": partial(self._see_said, name, embeddings, rows, captions)
                }
                reads = {"said": members}
            else:
                said = rows if asked is None else list(asked)
                parts = self._parts(name, embeddings, source, motion, batch, rows, said)
                reads = {part: [judge for judge in members if part in READS[judge.needs]] for part in parts}
            for part, look in parts.items():
                if not reads[part]:
                    continue
                try:
                    look()
                except MotionPlatformError as error:
                    refused |= {judge.label: str(error) for judge in reads[part] if judge.label not in refused}
        return seen, refused

    def _see_said(self, name: str, embeddings: Embeddings, rows: list[int], captions: Sequence[str]) -> None:
        embeddings.motion = torch.stack([self._of_rows(self._truth, name, row) for row in rows])
        embeddings.text, embeddings.captions = self._said(name, captions), list(captions)

    def _parts(
        self,
        name: str,
        embeddings: Embeddings,
        source: Source,
        motion: Motion,
        batch: Batch,
        rows: list[int],
        said: list[int],
    ) -> dict[str, Callable[[], None]]:
        """What a space can see, each by itself: a judge asks for some of it."""
        model = self.spaces[name]

        def see_motion() -> None:
            embeddings.motion = self._motion(name, source, motion, batch, rows)

        def see_truth() -> None:
            embeddings.truth = torch.stack([self._of_rows(self._truth, name, row) for row in rows])

        def see_text() -> None:
            embeddings.text = torch.stack([self._of_rows(self._text, name, row) for row in said])
            if self._captions[name]:
                embeddings.captions = [self._captions[name][row] for row in said]

        def see_labels() -> None:
            embeddings.labels = model.trainable.classify(motion.to(model.device))

        def see_sync() -> None:
            given = model.conditioning({slot: batch.raw[slot] for slot in model.card.slots})
            scores = model.trainable.sync_scores(given, motion.to(model.device))
            embeddings.sync = {kind: value.cpu() for kind, value in scores.items()}

        def hear_beats() -> None:
            given = model.conditioning({slot: batch.raw[slot] for slot in model.card.slots})
            heard = model.trainable.track(given)
            embeddings.beats = [{"beats": found.times, "bars": found.bars} for found in heard]

        return {
            "motion": see_motion,
            "truth": see_truth,
            "text": see_text,
            "labels": see_labels,
            "sync": see_sync,
            "beats": hear_beats,
        }

    def _motion(self, name: str, source: Source, motion: Motion, batch: Batch, rows: list[int]) -> Tensor:
        if source.kind == "truth" and all(clip_of(i) == i for i in batch.ids):
            return torch.stack([self._of_rows(self._truth, name, row) for row in rows])
        kept = self._fixed.setdefault((name, source.name), {})
        if source.fixed and all(sample in kept for sample in batch.ids):
            return torch.stack([kept[sample] for sample in batch.ids])
        model = self.spaces[name]
        made = model.trainable.embed(motion.to(model.device)).float().cpu()
        if source.fixed:
            kept.update(zip(batch.ids, made, strict=True))
        return made

    def _said(self, name: str, captions: Sequence[str]) -> Tensor:
        """(B, E) embeddings of generated captions; one that says nothing gets that of a full stop, which no metric
        reads."""
        model = self.spaces[name]
        captions = [caption if caption.strip() else "." for caption in captions]
        raw = {slot: list(captions) if k == 0 else [None] * len(captions) for k, slot in enumerate(model.card.slots)}
        return model.trainable.embed_condition(model.conditioning(raw)).float().cpu()

    def _of_rows(self, table: dict[str, dict[int, Tensor]], name: str, row: int) -> Tensor:
        """The embedding of a row's real motion or caption. It is made with its batch of the whole set, always the same
        one, because the last bit of an embedding depends on what it is batched with."""
        known = table.setdefault(name, {})
        if row not in known:
            items, model = self._batch_of[row], self.spaces[name]
            rows = [each for each, _ in items]
            if table is self._truth:
                made = model.trainable.embed(self.test.batch(items, ()).motion.to(model.device))
            else:
                if name not in self._captions:  # all texts at once and in one order, for the same reason
                    self._captions[name] = {}
                    model.conditioning.precompute(self.test.texts(model.card.slots))
                given = self.test.batch(items, model.card.slots, seed=self._seed).raw
                raw = {slot: given[slot] for slot in model.card.slots}  # a batch also carries references of metrics
                captions = raw[next(iter(model.card.slots))]
                if "" in captions:
                    raise DataError(
                        f"{self.test.dataset.folder}: clip {self.test.dataset.id(rows[captions.index('')])!r} has no "
                        "caption; metrics of text need one for every clip"
                    )
                if all(isinstance(caption, str) for caption in captions):  # else it is music
                    self._captions[name].update(zip(rows, captions, strict=True))
                made = model.trainable.embed_condition(model.conditioning(raw))
            known.update(zip(rows, made.float().cpu(), strict=True))
        return known[row]
