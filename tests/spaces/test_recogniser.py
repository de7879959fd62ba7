import math

import numpy as np
import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.spaces.recogniser import Recogniser, body_features, disguise, heading, width_of

TARGETS = {"content": ["stand", "sway", "go"], "style": ["slow", "fast"]}


def person(frames, content="stand", style="slow", seed=0):
    """(T, 22, 3) numpy: a stick figure that stands, sways its arms or goes forward."""
    skeleton = get_skeleton("humanml3d")
    heights = {"pelvis": 0.95, "hip": 0.9, "knee": 0.5, "ankle": 0.08, "foot": 0.0, "spine": 1.1, "neck": 1.45}
    heights |= {"collar": 1.4, "head": 1.6, "shoulder": 1.4, "elbow": 1.15, "wrist": 0.9}
    pose = np.zeros((22, 3))
    for j, name in enumerate(skeleton.joints):
        pose[j, 1] = heights[name.removeprefix("left_").removeprefix("right_").rstrip("123")]
        pose[j, 0] = {"l": 0.15, "r": -0.15}.get(name[0] if "_" in name else "", 0.0)
    pose[[10, 11], 2] = 0.12
    joints = np.repeat(pose[None], frames, 0)
    t, rate = np.arange(frames) / 20, {"slow": 1.0, "fast": 2.5}[style]
    if content == "sway":
        joints[:, 18:, 2] += 0.3 * np.sin(2 * np.pi * rate * t)[:, None]
    else:
        joints[:, 18:, 1] += 0.3 * np.sin(2 * np.pi * rate * t)[:, None]
    if content == "go":
        joints[:, :, 2] += (rate * t)[:, None]
    return joints + np.random.default_rng(seed).normal(0, 0.002, joints.shape)


def motion_of(clips, name="humanml3d_essential"):
    representation = get_representation(name)
    features = [torch.from_numpy(representation.encode(clip)) for clip in clips]
    x = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    spec = MotionSpec(name, "humanml3d", 20.0, torch.zeros(x.shape[-1]), torch.ones(x.shape[-1]))
    return Motion(x, torch.tensor([len(f) for f in features]), spec)


def batch_of(motion, labels):
    return Batch([str(i) for i in range(len(labels))], {}, motion.lengths, motion, labels=labels)


def recogniser(motion, **settings):
    torch.manual_seed(0)
    small = {"width": 32, "layers": 2, "embedding": 16}
    return Recogniser(motion.spec, (), targets=TARGETS, **{**small, **settings})


@pytest.fixture(scope="module")
def walkers():
    clips = [person(n, c, s, n) for n, c, s in [(40, "go", "slow"), (61, "sway", "fast"), (23, "stand", "slow")]]
    return motion_of(clips)


def turn(joints, angle):
    cos, sin = math.cos(angle), math.sin(angle)
    x, y, z = joints[..., 0], joints[..., 1], joints[..., 2]
    return torch.stack([x * cos + z * sin, y, z * cos - x * sin], -1)


def test_heading_is_zero_along_z_and_positive_to_the_left():
    joints = torch.from_numpy(person(2))
    assert float(heading(joints)[0]) == pytest.approx(0, abs=0.05)
    assert float(heading(turn(joints, 1.0))[0]) == pytest.approx(1.0, abs=0.05)


def test_features_do_not_depend_on_place_or_direction_and_speeds_are_in_metres_and_radians():
    joints = torch.from_numpy(person(30, "go", "fast"))[None]
    features = body_features(joints, 20.0)
    assert features.shape == (1, 30, width_of(22))
    moved = turn(joints, 2.2) + torch.tensor([3.0, 0.0, -1.0])
    torch.testing.assert_close(body_features(moved, 20.0), features)
    assert float(features[0, :, 65].mean()) == pytest.approx(2.5, abs=0.1)  # forward speed
    spinning = torch.stack([turn(joints[0, 0], 0.1 * t) for t in range(10)])[None]
    torch.testing.assert_close(body_features(spinning, 20.0)[0, :, 66], torch.full((10,), 2.0, dtype=torch.double))


def test_padding_and_the_rest_of_the_batch_have_no_influence(walkers):
    model = recogniser(walkers).eval()
    together = model.embed(walkers)
    assert together.shape == (3, 16)
    for b, length in enumerate(walkers.lengths.tolist()):
        alone = model.embed(Motion(walkers.x[b : b + 1, :length], walkers.lengths[b : b + 1], walkers.spec))
        torch.testing.assert_close(alone[0], together[b], rtol=1e-4, atol=1e-5)
    dirty = walkers.x.clone()
    dirty[2, 30:] = float("nan")
    torch.testing.assert_close(model.embed(Motion(dirty, walkers.lengths, walkers.spec)), together)


def test_representations_of_the_same_motion_are_judged_the_same(walkers):
    model = recogniser(walkers).eval()
    clips = [person(40, "go"), person(30, "sway")]
    a, b = (model.embed(motion_of(clips, name)) for name in ("humanml3d_essential", "humanml3d"))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_it_learns_to_tell_contents_and_styles_apart():
    kinds = [(c, s) for c in TARGETS["content"] for s in TARGETS["style"]]
    motion = motion_of([person(40 + 3 * i, c, s, i) for i in range(4) for c, s in kinds])
    labels = [{"content": c, "style": s} for _ in range(4) for c, s in kinds]
    model = recogniser(motion)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(200):
        optimiser.zero_grad()
        losses = model.loss(batch_of(motion, labels), {})
        losses["loss"].backward()
        optimiser.step()
    fresh = motion_of([person(50, c, s, 99) for c, s in kinds])
    assert model.eval().classify(fresh) == labels[: len(kinds)]
    assert set(losses) == {"loss", "content", "content_accuracy", "style", "style_accuracy"}


def test_loss_is_the_sum_of_smoothed_cross_entropies_over_labelled_clips(walkers):
    model = recogniser(walkers, smoothing=0.2).eval()
    losses = model.loss(batch_of(walkers, [{"content": "go"}, {}, {"content": "sway", "style": "fast"}]), {})
    log = {target: logits.log_softmax(1) for target, logits in model.logits(walkers).items()}

    def smoothed(row, wanted):
        return -(0.8 * row[wanted] + 0.2 * row.mean())

    content = (smoothed(log["content"][0], 2) + smoothed(log["content"][2], 1)) / 2
    torch.testing.assert_close(losses["content"], content)
    torch.testing.assert_close(losses["loss"], content + smoothed(log["style"][2], 1))


def test_a_batch_without_labels_has_loss_zero_and_a_gradient(walkers):
    model = recogniser(walkers)
    losses = model.loss(batch_of(walkers, [{}, {}, {}]), {})
    assert losses.keys() == {"loss"}
    assert losses["loss"].item() == 0.0
    losses["loss"].backward()
    assert all(float(p.grad.abs().sum()) == 0 for p in model.parameters() if p.grad is not None)


def test_augmentation_is_seeded_keeps_a_part_and_changes_speeds(walkers):
    model = recogniser(walkers, noise=0.0, speed_change=0.2, crop=0.5)
    features = model.features(walkers)
    for seed in range(20):
        torch.manual_seed(seed)
        changed, lengths = model._augment(features, walkers.lengths)
        assert ((lengths >= walkers.lengths * 0.5 / 1.2 - 1) & (lengths <= walkers.lengths / 0.8 + 1)).all()
        speed = changed[0, : lengths[0], 65].mean()
        assert 0.75 < float(speed) < 1.25  # went at 1 m/s
        assert changed[2, lengths[2] :].abs().sum() == 0
        torch.manual_seed(seed)
        assert torch.equal(model._augment(features, walkers.lengths)[0], changed)
    still = recogniser(walkers, noise=0.0, speed_change=0.0, crop=1.0)
    torch.testing.assert_close(still._augment(features, walkers.lengths)[0], features)


def test_one_frame_is_enough(walkers):
    one = Motion(walkers.x[:, :1], torch.ones(3, dtype=torch.int64), walkers.spec)
    assert torch.isfinite(recogniser(walkers).eval().embed(one)).all()
    assert torch.isfinite(recogniser(walkers).loss(batch_of(one, [{"content": "go"}] * 3), {})["loss"])


def test_errors_say_where_and_what(walkers):
    model = recogniser(walkers)
    with pytest.raises(ConfigError, match=r"targets\.content: no 'og'; did you mean 'go'"):
        model.loss(batch_of(walkers, [{"content": "og"}] * 3), {})
    with pytest.raises(DataError, match="no motion or no labels"):
        model.loss(Batch(["a", "b", "c"], {}, walkers.lengths, walkers), {})
    with pytest.raises(ConfigError, match="empty"):
        Recogniser(walkers.spec, (), targets={})
    with pytest.raises(ConfigError, match=r"targets\.style: needs two or more"):
        Recogniser(walkers.spec, (), targets={"style": ["sad", "sad"]})
    with pytest.raises(ConfigError, match=r"crop: got 0"):
        Recogniser(walkers.spec, (), targets=TARGETS, crop=0)
    spec = MotionSpec("humanml3d_essential", "humanml3d", 30.0, walkers.spec.mean, walkers.spec.std)
    with pytest.raises(DataError, match="30 fps"):
        model.embed(Motion(walkers.x, walkers.lengths, spec))


def test_its_default_size():
    spec = motion_of([person(5)]).spec
    default = Recogniser(spec, (), targets=TARGETS)
    assert 0.5e6 < sum(p.numel() for p in default.parameters()) < 2e6


def clips_as_features(frames=(40, 100, 160), turn=0.0):
    """(B, T, 67) zero but for a place that counts the frames and a turning speed; lengths."""
    lengths = torch.tensor(frames)
    features = torch.zeros(len(frames), int(lengths.max()), 67)
    features[..., 0] = torch.arange(features.shape[1])
    features[..., -1] = math.radians(turn) * 20 / lengths[:, None]
    return features * (torch.arange(features.shape[1]) < lengths[:, None])[..., None], lengths


def test_disguise_makes_parts_at_other_speeds_and_holds_the_last_pose():
    features, lengths = clips_as_features()
    seen = []
    for seed in range(60):
        torch.manual_seed(seed)
        changed, new = disguise(features, lengths, 20.0, 1.0)
        for b, n in enumerate(new.tolist()):
            step = torch.diff(changed[b, :n, 0])
            played = int((step > 0).sum()) + 1
            assert played >= 0.45 * 40  # two seconds, at most twice as fast
            assert n - played <= 61  # three seconds of the last pose
            assert changed[b, n:].abs().sum() == 0
            assert 0.49 < float(step[: played - 2].mean()) < 2.01
            seen.append(n)
    assert min(seen) < 40
    assert max(seen) > 200
    torch.manual_seed(1)
    same, as_before = disguise(features, lengths, 20.0, 0.0)
    assert torch.equal(same, features)
    assert torch.equal(as_before, lengths)


def test_disguise_keeps_the_turn_of_a_clip_that_turns():
    features, lengths = clips_as_features(turn=90.0)
    for seed in range(40):
        torch.manual_seed(seed)
        changed, _ = disguise(features, lengths, 20.0, 1.0)
        turned = torch.rad2deg(changed[..., -1].sum(1) / 20)
        assert (turned > 0.65 * 90).all(), turned


def test_statues_are_still_in_every_target(walkers):
    model = recogniser(walkers, still=0.5)
    assert model.targets == {"content": ["stand", "sway", "go", "still"], "style": ["slow", "fast", "still"]}
    features = model.features(walkers)
    frozen_once = slid = 0
    for seed in range(30):
        torch.manual_seed(seed)
        made, lengths, frozen = model._freeze(features, walkers.lengths)
        for b in range(3):
            if not frozen[b]:
                assert torch.equal(made[b], features[b])
                continue
            frozen_once += 1
            assert made[b, : lengths[b], :-3].std(0).max() < 1e-5
            slid += bool(made[b, :, -3:].abs().sum() > 0)
    assert frozen_once > 20
    assert 5 < slid < frozen_once
    assert recogniser(walkers).targets == TARGETS
