"""What a training run reads: its batches, what fills the slots, and features computed ahead."""

from __future__ import annotations

from motion_platform.core.config import Recipe
from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.files import cache_folder
from motion_platform.data.loader import Loader, make_loader
from motion_platform.data.slots import SOUND, Slot, slots_of
from motion_platform.model.feature_cache import FeatureCache, Forgetful
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import Run
from motion_platform.training.progress import Reporter


def loader_for(built: Run, recipe: Recipe, name: str, micro: int) -> Loader:
    """The training batches of a recipe, in micro-batches (``micro`` a step). Errors: those of :func:`make_loader`;
    UsageError for a validation split without clips; DataError for a slot that nothing fills; ConfigError for sentences
    where motion is learned."""
    dataset = built.open_data()
    if recipe.validation.every and not dataset.indices(recipe.validation.split):
        raise UsageError(
            f"{name}: validation.split: {recipe.validation.split!r} of data set {recipe.data.name} is empty; "
            "name another split, or validation.every=0"
        )
    if recipe.data.sentences and not built.model.trainable.words_alone:
        raise ConfigError(
            f"{name}: data.sentences: {recipe.data.sentences} of the rows would be told what their motion does not "
            "show; allowed: 0, or a model that learns of words alone (model.settings.labels_only)"
        )
    return make_loader(
        dataset,
        recipe.data.split,
        built.model.spec,
        slots_to_fill(built, recipe, name),
        batch_size=recipe.train.batch_size // micro,
        seed=recipe.seed,
        min_frames=recipe.data.min_frames,
        max_frames=recipe.data.max_frames,
        mirror=recipe.data.mirror,
        balance=recipe.data.balance,
        by_length=recipe.data.by_length,
        captions_per_clip=recipe.data.captions_per_clip,
        written_beats=recipe.data.written_beats,
        wordings=recipe.data.wordings,
        sentences=recipe.data.sentences,
        lanes=micro,
        buffer=recipe.data.buffer,
        train=True,
    )


def slots_to_fill(built: Run, recipe: Recipe, name: str) -> dict[str, Slot]:
    """What the slots of a recipe read of the data. DataError for one that no training row fills: a model
    would have a condition that it has never seen."""
    slots = slots_of(recipe.slots, built.task.reads, built.task.columns, where=name)
    dataset = built.open_data()
    rows = dataset.indices(recipe.data.split)
    for slot, wanted in slots.items():
        if slot not in built.model.trainable.not_learned and not dataset.fills(rows, wanted):
            what = f"{wanted.kind} {wanted.column}".strip()
            raise DataError(
                f"{name}: slots.{slot}: no row of split {recipe.data.split} of data set {recipe.data.name} holds a "
                f"{what}; "
                f"leave the slot out, or prepare data that fills it"
            )
    return slots


def precompute(model: MotionModel, loader: Loader, reporter: Reporter) -> None:
    """Encode all that training can meet once with the frozen encoders, texts, and recordings where an encoder hears
    them whole; kept in ``$MOTION_CACHE/features``. Of a sharded set nothing is: it may not fit, and what an encoder
    makes of a text depends in the last bit on those beside it, which must be those of the batch for a resumed run to be
    the same."""
    if not model.conditioning.slots:
        return
    if loader.sharded:
        model.conditioning.cache = Forgetful()
        return
    folder = cache_folder("features")
    model.conditioning.cache = FeatureCache(folder)
    rows = loader.rows.tolist()
    texts = {
        slot: {text for row in rows for text in loader.collate.inputs(row, slot)} | {*loader.collate.sentences(slot)}
        for slot in model.conditioning.slots
    }
    model.conditioning.precompute(texts, progress=reporter.encoding)
    collate = loader.collate
    for slot in model.conditioning.slots:
        if collate.slots[slot].kind in SOUND:
            recordings = (collate.dataset.audio(row, 0, 1, written_beats=collate.written_beats) for row in rows)
            model.conditioning.precompute_recordings(slot, recordings, len(rows), progress=reporter.encoding)
