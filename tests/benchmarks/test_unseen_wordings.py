"""The test set of unseen sentences: its file is whole, its numbers are right, and a model that does not read fails."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

import motion_platform as mp
from motion_platform.core.errors import DataError
from motion_platform.model.motion_model import MotionModel
from motion_platform.spaces.recogniser import STILL


@pytest.fixture(scope="module")
def recogniser():
    return MotionModel.from_pretrained("recogniser").trainable


@pytest.fixture(scope="module")
def walk(sample_root) -> mp.Clip:
    return mp.read(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh").retarget()


def test_the_sentences_are_150_and_say_every_kind_and_style(benchmark, recogniser) -> None:
    sentences = benchmark.read(benchmark.SENTENCES, recogniser.targets)
    assert Counter(sentence.group for sentence in sentences) == {"kinds": 60, "styles": 50, "sides": 40}
    assert len({sentence.text.casefold() for sentence in sentences}) == 150
    said = {target: set().union(*(s.right.get(target, ()) for s in sentences)) for target in benchmark.TARGETS}
    assert said["content"] == set(recogniser.targets["content"]) - {STILL}
    assert said["style"] == set(recogniser.targets["style"]) - {"normal", STILL}
    assert all(("style" in sentence.right) == (sentence.group == "styles") for sentence in sentences)


def test_an_unknown_label_is_said_with_its_line(benchmark, recogniser, tmp_path) -> None:
    path = tmp_path / "sentences.csv"
    path.write_text("sentence,content,style,group\nhe walks,walk,exhausted,styles\nhe bows,bowl,,kinds\n")
    with pytest.raises(DataError, match=r"sentences\.csv:3: no content 'bowl'.*bow"):
        benchmark.read(path, recogniser.targets)
    path.write_text("sentence,content,style,group\nhe walks,walk|run,exhausted,styles\n")
    assert benchmark.read(path, recogniser.targets)[0].right == {"content": {"walk", "run"}, "style": {"tired"}}


def test_rates_are_of_a_sentence_and_other_sentences_of_all_others(benchmark) -> None:
    walk = benchmark.Sentence("walks sadly", {"content": {"walk"}, "style": {"sad", "tired"}}, "styles")
    bow = benchmark.Sentence("bows", {"content": {"bow"}}, "kinds")
    run = benchmark.Sentence("runs", {"content": {"run", "dash"}}, "kinds")
    seen = [
        [{"content": "walk", "style": "tired"}, {"content": "walk", "style": "happy"}],
        [{"content": "walk", "style": "sad"}, {"content": "bow", "style": "sad"}],
        [{"content": "dash", "style": "normal"}, {"content": "run", "style": "normal"}],
    ]
    sentences = [walk, bow, run]
    right = benchmark.rates(sentences, seen)
    assert right == [{"content": 1, "style": 0.5, "both": 0.5}, {"content": 0.5}, {"content": 1}]
    others = benchmark.other_sentences(sentences, seen)
    assert others == [{"content": 0.25, "style": 0.5, "both": 0.25}, {"content": 0}, {"content": 0}]
    groups = benchmark.groups_of(sentences, {("walk", "sad")})
    assert groups == {"styles": [0], "styles, known": [0], "kinds": [1, 2], "all": [0, 1, 2]}
    assert "styles, known" not in benchmark.groups_of(sentences, {("walk", "happy"), ("bow", "sad")})
    values = benchmark.summary(groups, right)
    assert values["kinds, content"][0] == 0.75
    assert values["all, style"] == (0.5, 0.5, 0.5)
    assert "kinds, style" not in values
    assert [m["sentence"] for m in benchmark.mistakes(sentences, seen)] == ["walks sadly", "bows"]


def test_the_interval_is_that_of_the_binomial(benchmark) -> None:
    mean, low, high = benchmark.interval([1.0] * 60 + [0.0] * 40)
    assert mean == 0.6
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.6 * 0.4 / 100), rel=0.06)


def test_a_walk_is_recognised_and_the_looked_up_clip_is_of_the_nearest_caption(
    benchmark, recogniser, walk, sample_dataset
) -> None:
    assert benchmark.answers(recogniser, [walk, walk])[1]["content"] == "walk"
    row = next(row for row in sample_dataset.indices("train") if sample_dataset.captions(row)[0])
    ((clip, _),) = benchmark.looked_up(sample_dataset, [sample_dataset.captions(row)[0][0]], samples=2, seed=0)
    same = [
        r
        for r in sample_dataset.indices("train")
        if sample_dataset.captions(r)[0][:1] == sample_dataset.captions(row)[0][:1]
    ]
    assert any(np.array_equal(clip.joints, benchmark.clip_of(sample_dataset, r).joints) for r in same)


def test_captions_are_those_of_clips_with_labels_once_each(benchmark, recogniser, sample_dataset) -> None:
    sentences = benchmark.captions_of(sample_dataset, "train")
    rows = [r for r in sample_dataset.indices("train") if sample_dataset.labels(r) and not sample_dataset.mirrored(r)]
    assert [sentence.text for sentence in sentences] == [sample_dataset.captions(r)[0][0] for r in rows]
    assert sentences, "the sample has clips with labels"
    for sentence in sentences:
        assert all(labels <= set(recogniser.targets[target]) for target, labels in sentence.right.items())


def test_a_statue_stands_in_the_middle_pose(benchmark, walk, sample_dataset) -> None:
    statue = benchmark.frozen(walk)
    assert len(statue) == len(walk)
    assert not np.diff(statue.joints, axis=0).any()
    assert np.array_equal(statue.joints[0], walk.joints[len(walk) // 2])
    mean = benchmark.mean_pose(sample_dataset.spec(sample_dataset.representation), 30)
    assert mean.joints.shape == (30, 22, 3)
    assert not np.diff(mean.joints, axis=0).any()
    assert 1.0 < np.ptp(mean.joints[0, :, 1]) < 2.0  # a body that stands, in metres


def test_a_model_that_walks_whatever_is_said_fails(
    benchmark, monkeypatch, walk, sample_dataset, tmp_path, capsys
) -> None:
    class Walks:
        run = SimpleNamespace(model=SimpleNamespace(spec=sample_dataset.spec(sample_dataset.representation)))

        def __call__(self, texts, *, plan, samples, seed, progress):
            return [walk] * (len(texts) * samples)

    monkeypatch.setattr(benchmark.mp, "load", lambda task, name: Walks())
    path = tmp_path / "sentences.csv"
    path.write_text("sentence,content,style,group\nhe walks,walk,,kinds\na walker,walk,,kinds\n")
    arguments = ["walks", "--sentences", str(path), "--samples", "2"]
    assert benchmark.main(arguments) == 0
    path.write_text("sentence,content,style,group\nhe walks,walk,,kinds\nhe bows,bow,,kinds\n")
    assert benchmark.main([*arguments, "--out", str(tmp_path / "out.json")]) == 1
    assert "'he bows' must be {'content': ['bow']}, seen: {'walk': 2}" in capsys.readouterr().out
    assert (tmp_path / "out.json").exists()
