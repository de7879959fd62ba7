"""What every registered space must do."""

import numpy as np
import pytest
import torch

from motion_platform import registry
from motion_platform.errors import DataError
from motion_platform.motion.representations import get_representation
from motion_platform.schema import Motion, MotionSpec, Space

SETTINGS = {"recogniser": {"targets": {"content": ["walk", "run"]}, "width": 16, "layers": 1, "embedding": 8}}
"""The settings without a default, for the spaces that have such."""


@pytest.fixture(scope="module")
def motion():
    rng = np.random.default_rng(0)
    pose = rng.normal((0, 1, 0), 0.3, (22, 3))
    clips = [pose + np.cumsum(rng.normal(0, 0.01, (n, 22, 3)), 0) for n in (31, 12, 21)]
    features = [torch.from_numpy(get_representation("humanml3d_essential").encode(clip)) for clip in clips]
    x = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(x.shape[2]), torch.ones(x.shape[2]))
    return Motion(x, torch.tensor([len(f) for f in features]), spec)


@pytest.fixture(params=registry.names("spaces"))
def space(request, motion):
    torch.manual_seed(0)
    given = {"spec": motion.spec, "slots": ()}
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


def test_nan_in_a_motion_is_an_error(space, motion):
    x = motion.x.clone()
    x[1, 3, 5] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        space.embed(Motion(x, motion.lengths, motion.spec))
