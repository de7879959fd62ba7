"""Slots of any name: what a card says of them, what a prepared row gives them, and one that no row fills."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motion_platform.core import tasks
from motion_platform.core.config import SlotRecipe
from motion_platform.core.errors import ConfigError, DataError, UnknownName, UsageError
from motion_platform.data.loader import Collate, make_loader
from motion_platform.data.slots import Slot, slot_of, slots_of
from motion_platform.evaluation import passes
from motion_platform.model.run import load_run
from motion_platform.pipelines import generate
from motion_platform.training import train

CARD = {
    "task": "t",
    "title": "t",
    "source": "nowhere",
    "writes": "motion",
    "data": "sample",
}


def test_a_card_says_kind_column_and_option() -> None:
    reads = {
        "speech": {"kind": "audio", "option": "--speech"},
        "detail": {"kind": "text", "column": "low"},
        "mood": "label",
    }
    task = tasks.check({**CARD, "reads": reads}, "t")
    assert task.reads == {"speech": "audio", "detail": "text", "mood": "label"}
    assert (task.columns, task.options) == ({"detail": "low"}, {"speech": "--speech"})
    assert tasks.check(task.model_dump(), "again") == task  # as a checkpoint carries it
    assert slots_of(task.reads, task.reads, task.columns) == {
        "speech": Slot("audio"),
        "detail": Slot("text", "low"),
        "mood": Slot("label", "mood"),
    }


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"kind": "txt"}, "txt"),
        ("txt", "got 'txt'; did you mean 'text'"),
        ({"column": "low"}, "got no kind"),
        ({"kind": "text", "colum": "low"}, "got colum"),
    ],
)
def test_a_slot_that_is_none_is_one_line(said: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")) as caught:
        tasks.check({**CARD, "reads": {"text_high": said}}, "t.yaml")
    assert "\n" not in str(caught.value)


def test_usual_names_keep_their_meaning() -> None:
    assert slot_of("text_low", "text") == slot_of("text_low") == Slot("text", "low")
    assert slot_of("style", "label") == Slot("label", "style")
    assert slot_of("style", "label", "content") == Slot("label", "content")
    assert slot_of("my_words", "text") == Slot("text", "high")
    with pytest.raises(UnknownName, match="unknown slot 'emotoin'"):
        slot_of("emotoin")
    with pytest.raises(UsageError, match="a text is in: high, low"):
        slot_of("words", "text", "middle")


def test_a_row_fills_slots_of_any_name(sample_dataset) -> None:
    slots = {"said": Slot("text", "high"), "what": Slot("label", "content"), "before": Slot("motion")}
    rows = sample_dataset.indices("train")[:3]
    batch = Collate(sample_dataset, sample_dataset.spec("humanml3d_essential"), slots)(rows)
    assert batch.raw["said"] == [sample_dataset.captions(i)[0][0] for i in rows]
    assert batch.raw["what"] == [sample_dataset.labels(i).get("content", "") for i in rows]
    for b, x in enumerate(batch.raw["before"]):
        assert torch.equal(x, batch.motion.x[b, : int(batch.lengths[b])])
    loader = make_loader(sample_dataset, "train", sample_dataset.spec("humanml3d_essential"), slots, 4, seed=1)
    assert set(loader.collate.slots) == set(slots)


def card_with(folder: Path, reads: str) -> Path:
    path = folder / "mood_to_motion.yaml"
    path.write_text(
        f"task: mood_to_motion\ntitle: Mine\nsource: nowhere\nreads: {{{reads}}}\nwrites: motion\ndata: sample\n"
        "metrics: [{name: foot_skating}, {name: jerk}]\n"
    )
    return path


def test_a_task_with_slots_of_its_own_is_trained_generated_and_evaluated(recipe, tmp_path: Path) -> None:
    task = card_with(tmp_path, "words: text, mood: {kind: label, column: style}")
    made = recipe("validation.every=0", "train.steps=1")
    letters = made.slots["text_high"]
    label = SlotRecipe(encoder="label", settings={"labels": ["calm", "angry"], "dim": 4})
    made = made.model_copy(update={"task": str(task), "slots": {"words": letters, "mood": label}})
    folder = train.run(made, "mine", quiet=True, device="cpu")
    task.unlink()  # the model carries its card
    run = load_run(folder)
    (clip,) = generate.make(run, {"words": ["a person walks"], "mood": ["angry"]}, seconds=[1])
    assert len(clip) == 20
    assert clip.info["mood"] == "angry"
    result = passes.measure_run(run, split="train", samples=4)
    assert {"foot_skating_ratio", "jerk"} & set(result["metrics"])


def test_a_slot_that_no_training_row_fills_is_refused(recipe, tmp_path: Path) -> None:
    task = card_with(tmp_path, "words: text, emotion: label")
    made = recipe("validation.every=0", "train.steps=1")
    letters = made.slots["text_high"]
    label = SlotRecipe(encoder="label", settings={"labels": ["happy", "sad"], "dim": 4})
    made = made.model_copy(update={"task": str(task), "slots": {"words": letters, "emotion": label}})
    with pytest.raises(
        DataError, match=r"slots\.emotion: no row of split train of data set sample holds a label emotion"
    ):
        train.run(made, "mine", quiet=True, device="cpu")
    assert not (tmp_path / "run" / "model.yaml").exists()
