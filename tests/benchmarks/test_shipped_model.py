"""The acceptance benchmark asks for the right things, counts rightly, and its sentences are in order."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Data:
    """A prepared data set of a few clips: (content, style, split, mirrored)."""

    CLIPS = (
        [("walk", "tired", "test", False)] * 3
        + [("walk", "tired", "train", False)] * 2
        + [("walk", "tired", "test", True), ("kick", "normal", "train", False), (None, None, "test", False)]
        + [("run", "tired", "val", False)]
    )

    def __init__(self):
        self.frames = np.arange(len(self.CLIPS)) + 195

    def indices(self):
        return list(range(len(self.CLIPS)))

    def labels(self, i):
        content, style = self.CLIPS[i][:2]
        return {"content": content, "style": style} if content else {}

    def split(self, i):
        return self.CLIPS[i][2]

    def mirrored(self, i):
        return self.CLIPS[i][3]

    def captions(self, i):
        return [f"caption {i} a", f"caption {i} b"], [f"low {i}"]


def test_the_sentences_are_many_different_and_of_one_style_word_each():
    wordings = yaml.safe_load((ROOT / "benchmarks" / "unseen_wordings.yaml").read_text())
    sentences = [sentence["say"] for told in wordings.values() for sentence in told]
    assert len(sentences) >= 120
    assert len(set(sentences)) == len(sentences)
    assert min(len(told) for told in wordings.values()) >= 5
    for content, told in wordings.items():
        for sentence in told:
            assert set(sentence) <= {"say", "content", "style"}
            assert sentence["style"], sentence
            assert content in sentence.get("content", [content])


def test_captions_come_from_test_clips_and_all_of_them_are_used_first(benchmark):
    data = Data()
    pairs = benchmark.clips_by_pair(data)
    assert pairs == {
        ("kick", "normal"): {"train": [6]},
        ("run", "tired"): {"val": [8]},
        ("walk", "tired"): {"test": [0, 1, 2], "train": [3, 4]},
    }
    told = benchmark.told_by_captions(data, pairs, 5, seed=0, max_frames=196)
    walks = [r for r in told if r.labels["content"] == "walk"]
    assert [r.clip for r in walks][:3] == [0, 1, 2]
    assert {r.clip for r in walks} == {0, 1, 2}
    assert all(r.text in data.captions(r.clip)[0] for r in told)
    assert [r.frames for r in walks][:3] == [195, 196, 196]
    assert len({r.id for r in told}) == len(told) == 15
    assert told == benchmark.told_by_captions(data, pairs, 5, seed=0, max_frames=196)
    assert told != benchmark.told_by_captions(data, pairs, 5, seed=1, max_frames=196)


def test_sentences_about_things_the_data_lacks_are_reported(benchmark):
    data = Data()
    told, left_out = benchmark.told_by_wordings(data, benchmark.clips_by_pair(data), 2, seed=0, max_frames=196)
    assert {r.labels["content"] for r in told} == {"walk", "run", "kick"}
    assert all(set(r.right["style"]) & {"tired", "normal"} for r in told)
    assert any(line.startswith("bow:") for line in left_out)


def test_any_of_the_right_labels_is_right(benchmark):
    right = {"content": ("walk", "run"), "style": ("tired",)}
    request = benchmark.Request("a", "text", None, 10, right, 0)
    judge = benchmark.Judge(None)
    for content, style in [("walk", "tired"), ("run", "sad"), ("bow", "tired"), ("walk", "tired")]:
        judge.verdicts.append(benchmark.Verdict(request, {"content": content, "style": style}))
    assert judge.values() == {"content": 0.75, "style": 0.75}
    assert judge.mistakes("content", 5) == {"walk -> bow": 1}
    assert judge.worst("style", 5) == {"walk/tired": 0.75}


def test_every_request_is_made_and_judged_once(benchmark):
    right = {"content": ("walk",), "style": ("tired",)}
    requests = [benchmark.Request(str(i), "text", None, 10 + i % 3, right, 0) for i in range(7)]
    seen = []
    judge = SimpleNamespace(add=lambda motion, chosen: seen.extend(r.id for r in chosen))
    benchmark.judge(requests, lambda chosen: torch.zeros(len(chosen)), judge, 3, "test")
    assert sorted(seen) == [str(i) for i in range(7)]
