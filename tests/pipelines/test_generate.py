from __future__ import annotations

import numpy as np
import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Sampling
from motion_platform.motion.clip import Clip
from motion_platform.pipelines import edits, generate, texts
from motion_platform.training import build

NAME = "humanml3d_essential"


def test_a_clip_depends_on_its_own_words_number_and_seed_alone(run) -> None:
    alone = generate.generate_texts(run, ["a person walks"], seconds=[1.5], seed=5)[0]
    many = generate.generate_texts(run, ["runs", "a person walks"], seconds=[2, 1.5], samples=3, seed=5)
    assert [c.captions[0] for c in many] == ["runs"] * 3 + ["a person walks"] * 3
    assert [len(c) for c in many] == [40] * 3 + [30] * 3
    assert np.abs(many[3].joints - alone.joints).max() < 1e-4
    assert np.abs(many[4].joints - alone.joints).max() > 1e-2
    assert (
        np.abs(generate.generate_texts(run, ["a person walks"], seconds=[1.5], seed=6)[0].joints - alone.joints).max()
        > 1e-2
    )


def test_more_than_is_made_at_once_is_made_in_parts(run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = generate.generate_texts(run, ["walks"], seconds=[1], samples=5)
    monkeypatch.setattr(generate, "AT_ONCE", 2)
    parts = generate.generate_texts(run, ["walks"], seconds=[1], samples=5)
    assert [c.name for c in parts] == [f"motion_{k:03d}" for k in range(1, 6)]
    for a, b in zip(whole, parts, strict=True):
        assert np.abs(a.joints - b.joints).max() < 1e-4


def test_the_words_and_their_weight_count(run) -> None:
    def made(**options) -> np.ndarray:
        return generate.generate_texts(run, ["a person walks"], seconds=[1], **options)[0].joints

    plain = made()
    assert np.abs(made(low_texts=["walk"]) - plain).max() > 1e-4
    assert np.abs(made(sampling=Sampling(guidance={"text_high": 9.0})) - plain).max() > 1e-4
    assert np.abs(made(sampling=Sampling(steps=2)) - plain).max() > 1e-4


@pytest.mark.parametrize("seconds", [0, -1, 0.01, float("nan"), float("inf"), 1e9])
def test_impossible_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match=r"--seconds: got .*allowed: 0\.1 to 600"):
        generate.frames_of(seconds, 20.0)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 10_000, "走る", "идёт человек", "123 ...", "🕺"])
def test_texts_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--text") as caught:
        texts.check_text(text, "en")
    assert len(str(caught.value)) < 200


def test_words_of_other_languages_are_the_business_of_other_models() -> None:
    texts.check_text("走る", "ja")
    texts.check_text("a person does the cha-cha-chá, 2 steps", "en")


def test_numbers_of_texts_lengths_and_low_texts_must_agree(run) -> None:
    with pytest.raises(UsageError, match="--low-text: got 2 values for 3 texts"):
        generate.generate_texts(run, ["a", "b", "c"], ["x", "y"])
    with pytest.raises(UsageError, match="--seconds: got 2 values for 3 texts"):
        generate.generate_texts(run, ["a", "b", "c"], seconds=[1, 2])


def test_a_file_of_texts(tmp_path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("walks\twalk\n\nruns\n", encoding="utf-8")
    assert texts.read_texts(path) == (["walks", "runs"], ["walk", None])
    path.write_text("\n \n")
    with pytest.raises(UsageError, match="holds no text"):
        texts.read_texts(path)
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UsageError, match="cannot be read as UTF-8 text"):
        texts.read_texts(path)


def test_a_recogniser_does_not_generate(recipe) -> None:
    made = build.assemble(recipe(base="smoke/recogniser"), name="rec")
    with pytest.raises(UsageError, match="does not generate"):
        made.model.generate({}, [10], ["a"])


def test_a_long_motion_reports_its_seams(run) -> None:
    window = run.model.trainable.max_frames
    short, long = generate.generate_texts(run, ["walks", "walks on"], seconds=[window / 20, 3 * window / 20])
    assert "seams" not in short.info
    assert long.info["seams"]["seams"] == len(run.model.trainable.seams(len(long))) >= 2
    seams = run.model.trainable.seams(len(long))
    assert long.info["seam_times"] == pytest.approx([seam / 20 for seam in seams], abs=1e-3)
    assert "seams; the velocity changes there" in generate.describe_seams(long.info["seams"])


def test_texts_fill_the_slots_of_the_task_whatever_they_are_called(own_task, own_recipe) -> None:
    task = own_task("style: text, text: text", optional="style")
    made = build.assemble(own_recipe(task, "style", "text"), name="mine")
    made.model.eval()

    def joints(*texts, **options) -> np.ndarray:
        return generate.generate_texts(made, *texts, seconds=[1], **options)[0].joints

    plain = joints(["a person walks"])
    assert np.abs(joints(["quickly"]) - plain).max() > 1e-4
    assert np.abs(joints(["a person walks"], ["tired"]) - plain).max() > 1e-4
    assert generate.slots_of(made, ["a"], ["b"]) == {"text": ["a"], "style": ["b"]}


def test_no_text_is_dropped_in_silence(run, own_task, own_recipe, clip: Clip) -> None:
    one = build.assemble(own_recipe(own_task("text: text"), "text"), name="mine")
    for call in (
        lambda: generate.generate_texts(one, ["a person walks"], ["walk"]),
        lambda: edits.edit(one, clip, "lower_body", None, "walk"),
    ):
        with pytest.raises(UsageError, match=r"--low-text: task my_task has 1 slot\(s\) that read text, no second one"):
            call()
    part = own_recipe(own_task("text: text, style: text", optional="style"), "text")
    with pytest.raises(UsageError, match="--low-text: model run was trained without the slot 'style'"):
        generate.generate_texts(build.assemble(part, name="mine"), ["a person walks"], ["walk"])
    with pytest.raises(UsageError, match="--low-text: '123' holds no word"):
        generate.generate_texts(run, ["a person walks"], ["123"])
    with pytest.raises(UsageError, match="--text: is empty"):
        edits.edit(run, clip, "lower_body", " ")


def test_a_slot_that_no_option_fills_is_an_error(own_task, own_recipe) -> None:
    both = build.assemble(own_recipe(own_task("text: text, label: text, content: text"), "text", "label", "content"))
    with pytest.raises(UsageError, match=r"needs slot 'label' \(text\): give --low-text"):
        generate.generate_texts(both, ["a person walks"])
    with pytest.raises(UsageError, match=r"needs slot 'content' \(text\): give --content VALUE"):
        generate.generate_texts(both, ["a person walks"], ["walk"])


def test_a_text_without_words_is_said_to_have_none() -> None:
    for text in ("123", "123 ...", "🕺"):
        with pytest.raises(UsageError, match="holds no word"):
            texts.check_text(text, "en")
    with pytest.raises(UsageError, match="not in Latin script"):
        texts.check_text("走る", "en")


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1e30, -1e30])
def test_impossible_guidance_is_refused(weight: float) -> None:
    with pytest.raises(UsageError, match=r"--guidance: text_high: got .*; allowed: -100 to 100"):
        Sampling(guidance={"text_high": weight})
