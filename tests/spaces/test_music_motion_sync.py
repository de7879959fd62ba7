"""The music-motion space: what its pairs are, that it learns, and what its scores mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec
from motion_platform.spaces.music_motion_sync import KINDS, MusicMotionSync

SPEC = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26), "frame")


def space(**settings) -> MusicMotionSync:
    torch.manual_seed(0)
    small = {"layers": 2, "motion_width": 8, "dim": 8, "clip_seconds": 2.0, "apart": 2.0}
    return MusicMotionSync(SPEC, ("music",), **{**small, **settings})


def pieces(rows: int, frames: int, seed: int = 0) -> tuple[Batch, dict[str, Condition]]:
    """Wrists that go up and down with a wandering phase, and music that is that phase."""
    random = np.random.default_rng(seed)
    steps = random.uniform(0.02, 0.35, (rows, frames // 15 + 1)).repeat(15, 1)[:, :frames]
    phase = np.cumsum(steps, 1) + random.uniform(0, 6, (rows, 1))
    x = np.full((rows, frames, 26), 0.5)
    x[..., [19, 21]] += 0.2 * np.sin(phase)[..., None]
    tokens = np.zeros((rows, frames, 8))
    tokens[..., 0], tokens[..., 1] = np.sin(phase), np.cos(phase)
    encoded = torch.from_numpy(tokens).float()
    motion = Motion(torch.from_numpy(x).float(), torch.full((rows,), frames), SPEC)
    batch = Batch([f"piece {i}" for i in range(rows)], {"music": [None] * rows}, motion.lengths, motion)
    mask = torch.ones(rows, frames + 1, dtype=torch.bool)
    return batch, {"music": Condition(torch.zeros(rows, frames + 1, 1), mask, 30.0, encoded)}


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_as_far_apart_as_published(kind: str) -> None:
    sync, lengths = space(clip_seconds=10.0, apart=10.0), torch.tensor([900, 610, 200, 900])
    found = []
    for seed in range(300):
        clips = sync._draw(kind, lengths, torch.Generator().manual_seed(seed))
        assert clips.rows.tolist() == [0, 1, 3]
        assert (clips.first >= 0).all()
        assert (clips.first + 300 <= lengths[clips.rows]).all()
        assert (clips.second + 300 <= lengths[clips.others]).all()
        found.append((clips.second - clips.first).tolist())
    distance = np.array(found)
    if kind == "easy":
        assert (distance == 0).all()
        assert clips.others.tolist() == [1, 3, 0]
    elif kind == "hard":
        assert distance.min() >= 300
        assert distance[:, 0].max() > 560  # up to the whole window
    else:
        assert distance.min() == 15
        assert distance.max() == 150


def test_a_clip_is_what_its_music_and_motion_hold() -> None:
    sync, (_, given) = space(), pieces(2, 200)
    clips = sync._draw("hard", torch.tensor([200, 200]), torch.Generator().manual_seed(0))
    cut = sync._cut(given["music"].encoded, clips.rows, clips.second)
    first = int(clips.second[1])
    assert torch.equal(cut[1], given["music"].encoded[1, first : first + 60])


def test_dense_loss_is_binary_cross_entropy_of_mean_probabilities() -> None:
    sync = space()
    true, false = torch.randn(2, 3, 60), torch.randn(2, 3, 60)
    p = torch.cat([true.sigmoid().mean(-1).flatten(), false.sigmoid().mean(-1).flatten()])
    target = torch.cat([torch.ones(6), torch.zeros(6)])
    torch.testing.assert_close(sync._cross_entropy(true, false), torch.nn.functional.binary_cross_entropy(p, target))


def test_clip_loss_by_hand() -> None:
    sync, (_, given) = space(fusion="clip"), pieces(3, 60)
    seen = torch.randn(3, 60, 8)
    clips = sync._draw("easy", torch.tensor([60, 60, 60]), None)
    made = sync._all_pairs(given["music"].encoded, seen, clips)
    cosine = torch.nn.functional.cosine_similarity
    terms: dict[bool, list[float]] = {True: [], False: []}
    for i in range(3):
        for j in range(3):
            logit = 10 * cosine(given["music"].encoded[i], seen[j], dim=-1).mean().item() - 2
            terms[i == j].append(math.log1p(math.exp(-logit if i == j else logit)))
    assert made.item() == pytest.approx((np.mean(terms[True]) + np.mean(terms[False])) / 2, rel=1e-5)


@pytest.mark.parametrize("fusion", ["dense", "clip"])
def test_it_learns_who_belongs_to_whom(fusion: str) -> None:
    sync = space(fusion=fusion, layers=3)
    optimiser = torch.optim.Adam(sync.parameters(), 1e-2)
    for step in range(60):
        batch, given = pieces(8, 240, step)
        parts = sync.loss(batch, given)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
    sync.eval()
    batch, given = pieces(8, 240, 1000)
    with torch.no_grad():
        scores = sync.sync_scores(given, batch.motion)
        right = sync.sync_probability(given, batch.motion)
        wrong = sync.sync_probability(given, Motion(batch.motion.x.roll(1, 0), batch.lengths, SPEC))
    for kind in KINDS:
        assert scores[kind][:, 1].mean() > 0.8, (kind, scores)
        assert scores[kind][:, 0].mean() > 0.6
    assert (right > wrong).float().mean() > 0.8


def test_scores_of_chance_are_a_half_and_short_rows_say_nothing() -> None:
    sync, (batch, given) = space().eval(), pieces(3, 240)
    with torch.no_grad():
        sync.fuse[-1].weight.zero_()
        sync.fuse[-1].bias.zero_()
        lengths = torch.tensor([240, 70, 240])
        scores = sync.sync_scores(given, Motion(batch.motion.x, lengths, SPEC))
    assert torch.isnan(scores["hard"][1]).all()
    assert torch.isnan(scores["super_hard"][1]).all()
    assert scores["easy"][1, 1] == 0.5
    assert (scores["hard"][[0, 2], 1] == 0.5).all()


def test_probability_needs_no_more_than_both_have() -> None:
    sync, (batch, given) = space().eval(), pieces(2, 100)
    music = given["music"]
    with torch.no_grad():
        longer = Condition(
            music.tokens, music.mask, 30.0, torch.nn.functional.pad(music.encoded, (0, 0, 0, 7), value=9.0)
        )
        longer.mask = torch.nn.functional.pad(music.mask, (0, 7))
        torch.testing.assert_close(
            sync.sync_probability({"music": longer}, batch.motion), sync.sync_probability(given, batch.motion)
        )


def test_music_that_is_not_there_or_of_another_size() -> None:
    sync, (batch, given) = space(), pieces(2, 100)
    with pytest.raises(DataError, match="there is no music"):
        sync.embed_condition({})
    encoded = given["music"].encoded
    other = Condition(given["music"].tokens, given["music"].mask, 30.0, encoded[..., :3])
    with pytest.raises(DataError, match="needs 8 numbers a token"):
        sync.embed_condition({"music": other})
    with pytest.raises(DataError, match="music at 90 Hz"):
        sync.embed_condition({"music": Condition(given["music"].tokens, given["music"].mask, 90.0, encoded)})
    with pytest.raises(DataError, match="has no motion"):
        sync.loss(Batch(batch.ids, batch.raw, batch.lengths), given)


@pytest.mark.parametrize(
    ("rows", "frames", "negatives", "says"),
    [
        (2, 100, ["hard"], "hard negatives need 120 frames, and the longest window here has 100"),
        (2, 62, ["super_hard"], "super_hard negatives need 75 frames"),
        (1, 100, ["easy"], "need two pieces in a batch, got 1"),
    ],
)
def test_windows_that_are_too_short_to_train(rows: int, frames: int, negatives: list[str], says: str) -> None:
    batch, given = pieces(rows, frames)
    with pytest.raises(DataError, match=says):
        space(negatives=negatives).loss(batch, given)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="at least one kind"):
        space(negatives=[])
    with pytest.raises(ConfigError, match="listens to one slot"):
        MusicMotionSync(SPEC, ("music", "style"))
    humanml3d = MotionSpec("humanml3d", "humanml3d", 20.0, torch.zeros(263), torch.ones(263))
    with pytest.raises(ConfigError, match="reads representation conductor"):
        MusicMotionSync(humanml3d, ("music",))
