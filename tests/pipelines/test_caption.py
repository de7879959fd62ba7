"""Captions and lengths by the protocol, and of a file: with a stand-in that sees what it is told to see."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.cli import language as cli_language
from motion_platform.core import config, tasks
from motion_platform.core.config import MetricRecipe
from motion_platform.core.errors import DataError, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sources import sample
from motion_platform.evaluation import benchmark, protocol, report
from motion_platform.evaluation.benchmark import Benchmark, Entry, Job
from motion_platform.evaluation.bounds import motion as bounds
from motion_platform.evaluation.bounds import words as bounds_words
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.protocol import Repeats
from motion_platform.evaluation.sources import CaptionSource, LengthSource, source_for
from motion_platform.evaluation.testset import TestSet
from motion_platform.generators.diffusion.mdm import MDM
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import Run
from motion_platform.motion import bodies, io
from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import caption, edits, generate
from motion_platform.training import build

CARD = tasks.load("motion_to_text")
WORDS = [MetricRecipe(name="verb_accuracy"), MetricRecipe(name="caption_raw")]


@pytest.fixture
def model() -> MotionModel:
    torch.manual_seed(0)
    recipe = config.load_recipe(build.cards.find("configs", "smoke/text_to_motion"))
    return build.assemble(recipe, name="toy").model.eval()


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch):
    """Let the generator have words: a function of (frames, id) -> sentence. Returns what it was shown."""

    def teach(speak):
        shown = []

        def describe(self, motion, *, noise, sampling):
            shown.append(motion)
            return [speak(int(n), i) for n, i in zip(motion.lengths, noise.ids, strict=True)]

        monkeypatch.setattr(MDM, "describe", describe)
        return shown

    return teach


@pytest.fixture
def test() -> TestSet:
    return TestSet(PreparedDataset.open(sample.folder()), "test", batch_size=5)


def values(row: protocol.ResultRow) -> dict[str, float]:
    return {name: value["mean"] for name, value in row.facts["metrics"].items()}


# ---------------------------------------------------------------- the protocol


def test_a_captioner_is_measured_like_a_generator(test: TestSet, model: MotionModel, says) -> None:
    shown = says(lambda frames, sample: "a person walks forward" if "walk" in sample else "somebody does something")
    source = source_for(model, CARD, name="toy")
    assert isinstance(source, CaptionSource)
    row = protocol.row(source, Judges(WORDS, test, writes="captions"), Repeats(repeats=2, shown=2))
    found = values(row)
    walks = sum("walk" in sample for sample in test.ids)
    asked = sum(bool(test.dataset.labels(r)) for r in test.rows)
    assert found["verb_accuracy"] == pytest.approx(walks / asked)
    assert found["verb_accuracy_walk"] == 1
    assert 0 < found["caption_raw_bleu_1"] < 1
    assert row.facts["motions_made"] == 2 * len(test.rows)
    assert set(row.facts["said"].values()) <= {"a person walks forward", "somebody does something"}
    assert len(row.facts["said"]) == 2
    assert {motion.x.shape[-1] for motion in shown} == {67}  # the model's columns of the 263 that are stored


def test_real_captions_are_judged_against_the_others(test: TestSet) -> None:
    source = bounds.truth_for(CARD)
    assert isinstance(source, bounds_words.RealCaptions)
    found = values(protocol.row(source, Judges(WORDS, test, writes="captions"), Repeats(repeats=3)))
    assert 0 < found["caption_raw_bleu_1"] < 1
    assert found["verb_accuracy"] >= 0.8
    batch = test.batch(test.batches[0], ())
    said = source.predict(batch, test.batches[0], 0)
    left = source.judged(batch).captions
    assert [[*others, own] for others, own in zip(left, said, strict=True)] == batch.captions
    batch.captions[0] = []
    with pytest.raises(DataError, match="has no caption"):
        source.predict(batch, test.batches[0], 0)


def test_captions_are_read_by_a_space_beside_the_real_motion(test: TestSet, model: MotionModel, says, recipe, tmp_path):
    torch.manual_seed(1)
    made = build.assemble(recipe("slots.text.encoder=letters", "data.folder=null", base="smoke/text_motion"), name="s")
    space = str(made.model.save_pretrained(tmp_path / "space"))
    metrics = [MetricRecipe(name="multimodal_distance", space=space)]
    own = {test.dataset.id(r): test.dataset.captions(r)[0][0] for r in test.rows}
    says(lambda frames, sample: own[sample])
    told = protocol.row(CaptionSource(model), Judges(metrics, test, writes="captions"), Repeats(repeats=1))
    real = protocol.row(bounds.RealMotion(), Judges(metrics, test), Repeats(repeats=1))
    assert values(told) == pytest.approx(values(real), rel=1e-4)
    says(lambda frames, sample: "zzz")
    other = protocol.row(CaptionSource(model), Judges(metrics, test, writes="captions"), Repeats(repeats=1))
    assert values(other) != pytest.approx(values(real), rel=1e-3)


def test_who_looks_finds_the_clip_that_moves_alike(test: TestSet) -> None:
    train = TestSet(test.dataset, "train", 12)
    source = bounds.make_bound("nearest_motion")
    source.prepare(train, 0, 1)
    items = train.batches[0]
    said = source.predict(train.batch(items, ()), items, 0)
    assert said == [train.dataset.captions(row)[0][0] for row, _ in items]  # a training clip is nearest to itself
    blind = bounds.make_bound("random_caption")
    blind.prepare(train, 0, 1)
    assert blind.predict(train.batch(items, ()), items, 0) != blind.predict(train.batch(items, ()), items, 1)


def test_lengths_are_measured(test: TestSet, model: MotionModel, monkeypatch) -> None:
    card = tasks.load("length_from_text")
    judges = Judges(card.metrics, test, writes="lengths")
    monkeypatch.setattr(MDM, "natural_lengths", lambda self, given: torch.full((len(given["text_high"].mask),), 60))
    source = source_for(model, card, name="toy")
    assert isinstance(source, LengthSource)
    frames = np.array([test.frames(row) for row in test.rows])
    found = values(protocol.row(source, judges, Repeats(repeats=1)))
    assert found["length_error"] == pytest.approx(np.abs(frames - 60).mean() / 20)
    assert values(protocol.row(bounds.truth_for(card), judges, Repeats(repeats=1)))["length_error"] == 0
    for name in bounds.bounds_for(card):
        assert values(protocol.row(bounds.make_bound(name), judges, Repeats(repeats=1)))["length_error"] > 0
    monkeypatch.setattr(MDM, "natural_lengths", lambda self, given: None)
    with pytest.raises(UsageError, match="toy: has not learned how long a motion lasts"):
        protocol.row(source, judges, Repeats(repeats=1))


def test_metrics_of_another_kind_are_refused(test: TestSet) -> None:
    for metric, writes, said in (
        ("jerk", "captions", "judges motions, and these are captions"),
        ("verb_accuracy", "motion", "judges captions, and these are motions"),
        ("ade", "lengths", "judges motions, and these are lengths"),
    ):
        with pytest.raises(UsageError, match=said):
            Judges([MetricRecipe(name=metric)], test, writes=writes)


def test_another_number_of_captions_is_an_error(test: TestSet, model: MotionModel, monkeypatch) -> None:
    monkeypatch.setattr(MDM, "describe", lambda self, motion, *, noise, sampling: ["one"])
    with pytest.raises(DataError, match="toy: made 1 captions for 5 clips"):
        protocol.row(CaptionSource(model, name="toy"), Judges(WORDS, test, writes="captions"), Repeats(repeats=1))


def test_one_benchmark_takes_every_model_that_can(model: MotionModel, says, tmp_path: Path) -> None:
    folder = str(model.save_pretrained(tmp_path / "toy"))
    described = Benchmark(
        tasks=["motion_to_text", "length_from_text", "random_motion"],
        entries=[Entry(model=folder)],
        data="sample",
        metrics=WORDS,
        repeats=1,
        shown=0,
    )
    with pytest.raises(UsageError, match=r"toy \(mdm\) makes no words of motion"):
        benchmark.run(Job(described.model_copy(update={"tasks": ["motion_to_text"]}), quiet=True))
    says(lambda frames, sample: "a person walks")
    cells = benchmark.run(Job(described.model_copy(update={"tasks": ["motion_to_text"]}), quiet=True))
    names = [cell.row.facts["name"] for cell in cells]
    assert names == ["real captions", "random training caption", "nearest training motion", "toy"]
    shown = described.model_copy(update={"tasks": ["motion_to_text"], "shown": 1, "bounds": []})
    lines = report.lines_of([cell.row for cell in benchmark.run(Job(shown, quiet=True))])
    ((_, page),) = report.play(lines)
    assert "toy: a person walks" in page
    outside = described.model_copy(update={"tasks": ["motion_to_text"], "entries": [Entry(folder=str(tmp_path))]})
    with pytest.raises(UsageError, match="is a folder of motions, and task motion_to_text writes captions"):
        benchmark.run(Job(outside, quiet=True))


# ---------------------------------------------------------------- a file


@pytest.fixture
def clips() -> list[Clip]:
    """Two real clips of the sample, the second one several times longer than the stand-in reads at once."""
    dataset = PreparedDataset.open(sample.folder())
    rows = sorted(dataset.indices("test"), key=lambda row: int(dataset.frames[row]))
    found = []
    for name, row in (("short", rows[0]), ("long", rows[-1])):
        x = torch.tensor(dataset.features(row))
        joints = build.model.registry.get("representations", "humanml3d")().decode(x).numpy()
        found.append(Clip(joints, 20.0, get_skeleton("humanml3d"), name=name))
    return found


def run_of(model: MotionModel) -> Run:
    return Run(model, CARD, 0)


def test_parts_are_equal_and_leave_nothing_out() -> None:
    assert caption.windows(100, None) == [(0, 100)]
    assert caption.windows(196, 196) == [(0, 196)]
    assert caption.windows(197, 196) == [(0, 98), (98, 197)]
    for frames in range(1, 300, 7):
        parts = caption.windows(frames, 40)
        assert parts[0][0] == 0
        assert parts[-1][1] == frames
        assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))
        assert max(b - a for a, b in parts) <= 40
        assert frames <= 40 or min(b - a for a, b in parts) >= 20


def test_a_clip_longer_than_the_model_reads_is_captioned_in_parts(model: MotionModel, says, clips) -> None:
    says(lambda frames, sample: f"{frames} frames of {sample}")
    model.trainable.max_frames = 64
    said = caption.caption_clips(run_of(model), clips)
    assert [each.clip for each in said] == ["short", "long", "long", "long"]
    assert said[0].start == 0
    assert [said[i].end for i in (1, 2)] == [said[i].start for i in (2, 3)]
    for each in said:
        assert each.text.startswith(f"{round((each.end - each.start) * 20)} frames of {each.clip}|")
    lines = cli_language.describe(said, several=True)
    assert lines[0] == f"short: {said[0].text}"
    assert lines[1].startswith("long: 0.0 to ")
    assert cli_language.describe(said[:1], several=False) == [said[0].text]


def test_what_is_said_depends_on_the_clip_alone(model: MotionModel, says, clips) -> None:
    says(lambda frames, sample: sample)
    model.trainable.max_frames = 196
    both = caption.caption_clips(run_of(model), clips, samples=2)
    alone = caption.caption_clips(run_of(model), clips[1:], samples=2)
    assert [each.sample for each in alone] == [0, 1]
    assert both[2:] == alone
    with pytest.raises(UsageError, match="--samples: got 0"):
        caption.caption_clips(run_of(model), clips, samples=0)


def test_the_task_decides_who_may_speak(model: MotionModel, says, tmp_path: Path) -> None:
    folder = str(model.save_pretrained(tmp_path / "toy"))
    with pytest.raises(UsageError, match=r"toy \(mdm\) makes no words of motion"):
        generate.load("motion_to_text", folder)
    says(lambda frames, sample: "x")
    assert generate.load("motion_to_text", folder).task.task == "motion_to_text"
    assert generate.load("text_to_motion", folder).task.task == "text_to_motion"


def test_edit_keeps_what_the_task_says(model: MotionModel, clips) -> None:
    run = Run(model, tasks.load("motion_in_between"), 0)
    (made,) = edits.edit(run, clips[1], None, None)
    features = bodies.features_of(clips[1], model.spec)
    given = build.model.registry.get("representations", "humanml3d_essential")().decode(features).numpy()
    edge = int(0.25 * len(features))
    assert made.name == "long_motion_in_between_001"
    assert made.info["keep"] == "motion_in_between"
    assert len(made.joints) == len(features)
    assert np.allclose(made.joints[:edge], given[:edge], atol=1e-4)
    assert np.abs(made.joints[edge] - given[edge]).max() > 0.01
    with pytest.raises(UsageError, match="--keep: is missing; allowed: prefix"):
        edits.edit(Run(model, tasks.load("text_to_motion"), 0), clips[1], None, None)
    with pytest.raises(UsageError, match="only --keep prefix changes the length"):
        edits.edit(run, clips[1], None, None, seconds=3.0)


def test_the_command_writes_what_it_says(model: MotionModel, says, clips, tmp_path: Path, capsys) -> None:
    says(lambda frames, sample: "a person stands")
    folder = model.save_pretrained(tmp_path / "toy")
    (path,) = io.save(clips[:1], tmp_path / "clip.npz")
    cli_language.caption(
        [path], model=str(folder), number=None, names=None, output=[tmp_path / "said.json", tmp_path / "said.txt"]
    )
    written = [str(tmp_path / "said.json"), str(tmp_path / "said.txt")]
    assert capsys.readouterr().out.splitlines() == ["a person stands", *written]
    assert (tmp_path / "said.txt").read_text() == "a person stands\n"
    (found,) = json.loads((tmp_path / "said.json").read_text())
    assert found["text"] == "a person stands"
    assert found["start"] == 0
    with pytest.raises(UsageError, match="--number: got 2"):
        cli_language.caption([path], model=str(folder), number=2)
    with pytest.raises(UsageError, match=r"unknown format \.doc; allowed: \.txt, \.json"):
        cli_language.caption([path], output=[tmp_path / "said.doc"])
    with pytest.raises(UsageError, match=r"the folder .* does not exist"):
        cli_language.caption([path], output=[tmp_path / "no" / "said.txt"])
    with pytest.raises(DataError, match="at least 2 are needed"):
        caption.caption_clips(run_of(model), [clips[0].with_(joints=clips[0].joints[:1])])


BANDAI = Path(sample.__file__).parents[2] / "sample" / "bandai-namco"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("dataset-1_walk_normal_001", "a person walks forward"),
        ("dataset-2_walk-turn-left_normal_001", "a person walks forward and turns left"),
        ("dataset-2_wave-right-hand_normal_015", "a person waves"),
    ],
)
def test_the_default_captioner_says_what_a_file_shows(file: str, words: str, capsys) -> None:
    cli_language.caption([BANDAI / f"{file}.bvh"], device="cpu")
    printed = capsys.readouterr()
    assert printed.out.startswith(words)
    assert "left" in printed.out or "right hand" in printed.out or printed.out.strip() == words
    assert printed.err.strip() == "captions: 1 by recogniser"


def test_who_says_it_is_kept(clips, tmp_path: Path, capsys) -> None:
    still = clips[0].with_(joints=np.repeat(clips[0].joints[:1], 60, 0))
    run = generate.load("motion_to_text", None)
    (said,) = caption.caption_clips(run, [still])
    assert said.by == "measurements"
    assert said.text == "a person stays still"
    assert cli_language.who([said]).startswith("captions: 1 by measurements (what was measured")
