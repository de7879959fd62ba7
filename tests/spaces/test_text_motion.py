"""The contrastive space: its losses against closed forms, what it must not depend on, and that it learns."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.spaces.recogniser import Recogniser
from motion_platform.spaces.text_motion import (
    TextMotion,
    contrastive_loss,
    features_of,
    moments,
    motion_features,
    relations,
    uniformity,
)

SMALL = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "embedding": 8}


def person(frames, speed=0.0, seed=0):
    """(T, 22, 3) numpy: a stick figure that glides forward (Z+) with ``speed`` m/s and shakes a little."""
    skeleton = get_skeleton("humanml3d")
    heights = {"pelvis": 0.95, "hip": 0.9, "knee": 0.5, "ankle": 0.08, "foot": 0.0, "spine": 1.1, "neck": 1.45}
    heights |= {"collar": 1.4, "head": 1.6, "shoulder": 1.4, "elbow": 1.15, "wrist": 0.9}
    pose = np.zeros((22, 3))
    for j, name in enumerate(skeleton.joints):
        pose[j, 1] = heights[name.removeprefix("left_").removeprefix("right_").rstrip("123")]
        pose[j, 0] = {"l": 0.15, "r": -0.15}.get(name[0] if "_" in name else "", 0.0)
    joints = np.repeat(pose[None], frames, 0) + np.random.default_rng(seed).normal(0, 0.003, (frames, 22, 3))
    joints[..., 2] += (speed * np.arange(frames) / 20)[:, None]
    return joints


def motion_of(clips, name="humanml3d_essential"):
    features = [torch.from_numpy(get_representation(name).encode(clip)) for clip in clips]
    x = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    spec = MotionSpec(name, "humanml3d", 20.0, torch.zeros(x.shape[-1]), torch.ones(x.shape[-1]))
    return Motion(x, torch.tensor([len(f) for f in features]), spec)


@pytest.fixture(scope="module")
def gliders():
    return motion_of([person(n, speed, n) for n, speed in [(40, 0.0), (61, 1.5), (23, 0.7)]])


def space_for(motion, **settings):
    torch.manual_seed(0)
    return TextMotion(motion.spec, ("text",), **{**SMALL, **settings}).eval()


def sentences(rows, width=16, seed=0):
    """What a conditioning hands over for vectors (B, C): a null token, the projected sentence, the sentence itself."""
    random = torch.Generator().manual_seed(seed)
    projection = torch.randn(rows.shape[1], width, generator=random) / rows.shape[1] ** 0.5
    null = torch.randn(1, 1, width, generator=random).expand(len(rows), 1, width)
    tokens = torch.cat([null, (rows @ projection)[:, None]], 1)
    return {"text": Condition(tokens, torch.ones(len(rows), 2, dtype=torch.bool), None, rows[:, None])}


def batch_of(motion, captions, labels=None):
    return Batch([str(b) for b in range(len(captions))], {"text": captions}, motion.lengths, motion, labels=labels)


class TestContrast:
    def test_without_filtering_it_is_the_cross_entropy_of_the_diagonal(self):
        torch.manual_seed(0)
        logits, eye = torch.randn(6, 6), torch.eye(6, dtype=torch.bool)
        torch.testing.assert_close(contrastive_loss(logits, eye, ~eye), F.cross_entropy(logits, torch.arange(6)))

    def test_positives_do_not_compete_and_ignored_pairs_do_not_count(self):
        logits = torch.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0], [4.0, 1.0, 2.0]])
        positive = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1]]).bool()
        negative = torch.tensor([[0, 0, 1], [1, 0, 0], [1, 1, 0]]).bool()  # (1, 2) is in neither
        row_0 = (math.log(1 + math.exp(3 - 1)) + math.log(1 + math.exp(3 - 2))) / 2
        row_1 = math.log(1 + math.exp(0.5 + 1))
        row_2 = -math.log(math.exp(2) / (math.exp(2) + math.exp(4) + math.exp(1)))
        assert float(contrastive_loss(logits, positive, negative)) == pytest.approx(
            (row_0 + row_1 + row_2) / 3, rel=1e-6
        )

    def test_a_row_without_negatives_or_positives_has_no_loss_and_no_nan(self):
        logits = torch.randn(3, 3, requires_grad=True)
        nothing, eye = torch.zeros(3, 3, dtype=torch.bool), torch.eye(3, dtype=torch.bool)
        for positive, negative in [(eye, nothing), (nothing, ~eye), (nothing, nothing)]:
            loss = contrastive_loss(logits, positive, negative)
            loss.backward()
            assert float(loss.detach()) == 0.0
            assert torch.isfinite(logits.grad).all()


class TestRelations:
    """Rows: captions; a captions's own clip is always positive."""

    def table(self, captions, labels, alike):
        positive, negative = relations(captions, labels, torch.tensor(alike), 0.9)
        assert not (positive & negative).any()
        assert torch.equal(positive, positive.T)
        assert positive.diagonal().all()
        return "".join("+" if p else "-" if n else "o" for p, n in zip(positive[0], negative[0], strict=True))

    def test_labels_decide_where_there_are_some(self):
        labels = [{"content": "walk"}, {"content": "walk"}, {"content": "run"}, {"content": "run"}]
        captions = ["a stroll", "somebody walks", "a jog", "A stroll!"]  # the last: equal words, other label
        assert self.table(captions, labels, [[1.0, 0.2, 0.95, 1.0]] * 4) == "++-o"

    def test_near_equal_captions_are_no_negatives_where_labels_are_missing(self):
        captions = ["a person walks", "A  person walks.", "a man walks", "a person jumps"]
        for labels in (None, [{}] * 4):
            assert self.table(captions, labels, [[1.0, 1.0, 0.95, 0.3]] * 4) == "++o-"

    def test_left_and_right_are_negatives_however_alike_the_encoder_finds_them(self):
        captions = ["raise the left hand", "raise the right hand", "lift the left hand", "walk forward"]
        assert self.table(captions, None, [[1.0, 0.99, 0.99, 0.99]] * 4) == "+-o-"


def test_the_loss_is_infonce_of_distances_both_ways(gliders):
    space = space_for(gliders, reconstruction=0.0, temperature=0.2)
    rows = F.normalize(torch.randn(3, 12, generator=torch.Generator().manual_seed(1)), dim=1)
    given = sentences(rows)
    batch = batch_of(gliders, ["stand", "glide fast", "glide"], [{"content": c} for c in ("a", "b", "c")])
    losses = space.loss(batch, given)
    with torch.no_grad():
        motion, text = space.embed(gliders), space.embed_condition(given)
    logits = -(torch.cdist(text, motion, compute_mode="donot_use_mm_for_euclid_dist") ** 2) / 8 / 0.2
    expected = (F.cross_entropy(logits, torch.arange(3)) + F.cross_entropy(logits.T, torch.arange(3))) / 2
    torch.testing.assert_close(losses["loss"].detach(), expected, rtol=1e-4, atol=1e-5)
    assert float(losses["temperature"]) == pytest.approx(0.2)
    losses["loss"].backward()
    assert space.scale.grad is not None


def test_near_equal_captions_are_left_out_of_the_loss(gliders):
    space = space_for(gliders, reconstruction=0.0)
    rows = F.normalize(torch.tensor([[1.0, 0, 0], [1.0, 0.1, 0], [0, 0, 1.0]]), dim=1)
    given = sentences(rows)
    got = space.loss(batch_of(gliders, ["walk on", "walking on", "jump"]), given)["loss"]
    with torch.no_grad():
        logits = space.logits(space.embed_condition(given), space.embed(gliders))
    alone = lambda row, own, others: -row[own] + torch.logsumexp(row[[own, *others]], 0)  # noqa: E731
    rows_of = [(0, [2]), (1, [2]), (2, [0, 1])]
    expected = sum(alone(m[i], i, o) for m in (logits, logits.T) for i, o in rows_of) / 6
    torch.testing.assert_close(got.detach(), expected, rtol=1e-4, atol=1e-5)


def test_a_clip_whose_caption_is_missing_takes_no_part(gliders):
    space = space_for(gliders, reconstruction=0.0)
    given = sentences(F.normalize(torch.randn(3, 12), dim=1))
    given["text"].mask[1, 1] = False
    got = space.loss(batch_of(gliders, ["stand", "", "glide"]), given)
    two = Motion(gliders.x[[0, 2]], gliders.lengths[[0, 2]], gliders.spec)
    picked = {"text": Condition(*(value[[0, 2]] for value in (given["text"].tokens, given["text"].mask)), None,
                                given["text"].encoded[[0, 2]])}  # fmt: skip
    expected = space.loss(batch_of(two, ["stand", "glide"]), picked)
    torch.testing.assert_close(got["loss"], expected["loss"], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_neither_the_batch_nor_the_padding_has_influence(gliders):
    space = space_for(gliders)
    together = space.embed(gliders)
    rubbish = F.pad(gliders.x, (0, 0, 0, 9)).masked_fill(~F.pad(gliders.mask, (0, 9))[..., None], float("nan"))
    torch.testing.assert_close(
        space.embed(Motion(rubbish, gliders.lengths, gliders.spec)), together, rtol=1e-4, atol=1e-5
    )
    for b, length in enumerate(gliders.lengths.tolist()):
        alone = space.embed(Motion(gliders.x[b : b + 1, :length], gliders.lengths[b : b + 1], gliders.spec))
        torch.testing.assert_close(alone, together[b : b + 1], rtol=1e-4, atol=1e-5)
    given = sentences(torch.randn(3, 12))
    text = space.embed_condition(given)
    longer = {
        "text": Condition(F.pad(given["text"].tokens, (0, 0, 0, 4), value=9.0), F.pad(given["text"].mask, (0, 4)))
    }
    torch.testing.assert_close(space.embed_condition(longer), text, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_any_representation_of_the_skeleton_is_read(gliders):
    space = space_for(gliders)
    clips = [person(n, speed, n) for n, speed in [(40, 0.0), (61, 1.5), (23, 0.7)]]
    torch.testing.assert_close(space.embed(motion_of(clips, "humanml3d")), space.embed(gliders), rtol=1e-3, atol=1e-4)


def test_another_skeleton_rate_or_a_nan_is_said_in_one_line(gliders):
    space = space_for(gliders)
    kit = MotionSpec("kit_ml", "kit", 12.5, torch.zeros(251), torch.ones(251))
    with pytest.raises(DataError, match=r"text_motion: the motion has skeleton kit at 12.5 fps"):
        space.embed(Motion(torch.zeros(1, 8, 251), torch.tensor([8]), kit))
    x = gliders.x.clone()
    x[0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        space.embed(Motion(x, gliders.lengths, gliders.spec))
    with pytest.raises(DataError, match="no motion or no text"):
        space.loss(Batch(["a"], {}, gliders.lengths[:1], gliders), {})
    with pytest.raises(ConfigError, match="near_equal"):
        space_for(gliders, near_equal=1.5)
    with pytest.raises(UsageError, match="embeds motion, not conditions"):
        Recogniser(gliders.spec, targets={"content": ["a", "b"]}).embed_condition({})


def test_a_planted_foot_has_no_speed_and_a_sliding_one_has():
    joints = torch.from_numpy(person(30, 0.0)).float()
    joints[...] = joints[:1]
    still = motion_features(joints[None], 20.0)
    assert still.shape == (1, 30, features_of("humanml3d"))
    assert still[..., -15:].abs().max() < 1e-5
    turned = torch.stack([joints[..., 2], joints[..., 1], -joints[..., 0]], -1)  # faces X+
    turned = turned + torch.arange(30)[:, None, None] * torch.tensor([0.05, 0.0, 0.0])  # forward with 1 m/s
    feet = motion_features(turned[None], 20.0)[0, :, -12:].view(30, 4, 3)
    torch.testing.assert_close(feet, torch.tensor([0.0, 0.0, 1.0]).expand(30, 4, 3), rtol=0, atol=0.01)


def test_moments_are_those_of_numpy_over_real_frames():
    x = torch.randn(2, 9, 3)
    got = moments(
        x.masked_fill(~(torch.arange(9)[None] < torch.tensor([[9], [5]]))[..., None], 0.0), torch.tensor([9, 5])
    )
    for b, length in enumerate([9, 5]):
        real = x[b, :length].numpy()
        expected = np.concatenate([real.mean(0), real.std(0), np.abs(np.diff(real, axis=0)).mean(0)])
        np.testing.assert_allclose(got[b].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_uniformity_of_two_opposite_points_is_minus_eight():
    assert float(uniformity(torch.tensor([[2.0, 0.0], [-0.5, 0.0]]))) == pytest.approx(-8.0)


def test_it_learns_to_find_the_motion_of_a_sentence():
    speeds = [0.0, 0.5, 1.0, 1.5]
    motion = motion_of([person(32, speed, seed) for seed in range(4) for speed in speeds])
    labels = [{"content": str(speed)} for _ in range(4) for speed in speeds]
    rows = F.one_hot(torch.arange(4).repeat(4), 4).float()
    space = space_for(motion, embedding=16).train()
    given = sentences(rows)
    batch = batch_of(motion, [f"glide {i % 4}" for i in range(16)], labels)
    optimiser = torch.optim.AdamW(space.parameters(), 5e-3)
    first = None
    for _ in range(60):
        losses = space.loss(batch, given)
        first = first or float(losses["loss"].detach())
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
    assert float(losses["loss"].detach()) < 0.5 * first
    fresh = motion_of([person(32, speed, 99) for speed in speeds])
    with torch.no_grad():
        space.eval()
        nearest = torch.cdist(space.embed_condition(sentences(torch.eye(4))), space.embed(fresh)).argmin(1)
    assert nearest.tolist() == [0, 1, 2, 3]
