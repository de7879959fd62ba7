"""What every registered space must do."""

import numpy as np
import pytest
import torch

from motion_platform.core import registry
from motion_platform.core.contracts import Space
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Condition, Motion, MotionSpec, length_mask
from motion_platform.motion.representations import get_representation

SETTINGS = {
    "recogniser": {"targets": {"content": ["walk", "run"]}, "width": 16, "layers": 1, "embedding": 8},
    "text_motion": {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "embedding": 8},
    "guo": {"movement": 8, "motion_width": 12, "text_width": 10, "embedding": 6, "words": 7},
    "music_motion_sync": {"layers": 2, "motion_width": 4, "dim": 6, "clip_seconds": 0.2},
}
"""Small sizes, and the settings without a default."""
CONDITIONED = {"text_motion": ("text", 16, 5), "guo": ("text", 1, 22), "music_motion_sync": ("music", 1, 6)}
"""Spaces that embed text or music: their slot, numbers of a projected token and of an encoder's token."""
CONDUCTING = {"music_motion_sync"}
"""Spaces of a conductor's upper body."""


@pytest.fixture
def motion(request):
    rng = np.random.default_rng(0)
    if request.node.callspec.params["space"] in CONDUCTING:
        x, lengths = torch.from_numpy(rng.normal(0.5, 0.1, (3, 31, 26))).float(), torch.tensor([31, 12, 21])
        return Motion(x, lengths, MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26)))
    pose = rng.normal((0, 1, 0), 0.3, (22, 3))
    clips = [pose + np.cumsum(rng.normal(0, 0.01, (n, 22, 3)), 0) for n in (31, 12, 21)]
    features = [torch.from_numpy(get_representation("humanml3d_essential").encode(clip)) for clip in clips]
    x = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(x.shape[2]), torch.ones(x.shape[2]))
    return Motion(x, torch.tensor([len(f) for f in features]), spec)


LISTENING = {"beat_tracker"}
"""Spaces that hear music and see no motion: they have their own tests."""


@pytest.fixture(params=[name for name in registry.names("spaces") if name not in LISTENING])
def space(request, motion):
    torch.manual_seed(0)
    given = {"spec": motion.spec, "slots": CONDITIONED[request.param][:1] if request.param in CONDITIONED else ()}
    return registry.build("spaces", request.param, SETTINGS.get(request.param), given=given).eval()


def test_it_has_what_a_trainable_has(space, motion):
    assert isinstance(space, Space)
    assert space.spec is motion.spec
    assert isinstance(space.slots, tuple)
    assert isinstance(space.width, int)


def test_an_embedding_is_one_finite_row_a_motion_and_ignores_padding(space, motion):
    with torch.no_grad():
        rows = space.embed(motion)
        assert rows.shape[0] == 3
        assert rows.ndim == 2
        assert torch.isfinite(rows).all()
        assert (rows[0] - rows[1]).abs().max() > 0
        longer = torch.nn.functional.pad(motion.x, (0, 0, 0, 17), value=5.0)
        again = space.embed(Motion(longer, motion.lengths, motion.spec))
        torch.testing.assert_close(again, rows, rtol=1e-4, atol=1e-5)
        for b, length in enumerate(motion.lengths.tolist()):
            alone = space.embed(Motion(motion.x[b : b + 1, :length], motion.lengths[b : b + 1], motion.spec))
            torch.testing.assert_close(alone, rows[b : b + 1], rtol=1e-4, atol=1e-5)


def test_nan_in_a_motion_is_an_error(space, motion):
    x = motion.x.clone()
    x[1, 3, 5] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        space.embed(Motion(x, motion.lengths, motion.spec))


def test_a_motion_of_another_skeleton_is_an_error_that_names_both(space):
    kit = MotionSpec("kit_ml", "kit", 12.5, torch.zeros(251), torch.ones(251))
    with pytest.raises(DataError, match=rf"skeleton kit at 12\.5 fps.*{space.spec.skeleton}"):
        space.embed(Motion(torch.zeros(1, 16, 251), torch.tensor([16]), kit))


def test_conditions_and_motion_lie_in_one_space_or_the_space_says_that_it_has_none(space, request, motion):
    name = request.node.callspec.params["space"]
    if name not in CONDITIONED:
        with pytest.raises(UsageError, match="embeds motion, not conditions"):
            space.embed_condition({})
        return
    slot, projected, encoded = CONDITIONED[name]
    tokens, mask = torch.randn(3, 5, projected), length_mask(torch.tensor([5, 3, 2]))
    given = {slot: Condition(tokens, mask, None, torch.randn(3, 4, encoded))}
    with torch.no_grad():
        rows = space.embed_condition(given)
        assert rows.shape == space.embed(motion).shape
        cut = Condition(tokens[1:2, :3], mask[1:2, :3], None, given[slot].encoded[1:2, :2])
        torch.testing.assert_close(space.embed_condition({slot: cut}), rows[1:2], rtol=1e-4, atol=1e-5)
