"""Small models and conditions for the generator tests."""

from types import SimpleNamespace

import pytest
import torch

from motion_platform.generators.mdm import MDM
from motion_platform.schema import Batch, Condition, Motion, MotionSpec

SLOTS = ("text_high", "text_low")
DIM, WIDTH = 67, 32


def make_spec(seed=3):
    generator = torch.Generator().manual_seed(seed)
    mean, std = torch.randn(DIM, generator=generator) * 0.1, torch.rand(DIM, generator=generator) * 0.2 + 0.1
    std[:3] = 0.02  # turns and steps of a frame are small
    return MotionSpec("humanml3d_essential", "humanml3d", 20.0, mean, std)


def make_model(slots=SLOTS, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"layers": 2, "width": WIDTH, "heads": 4, "feed_forward": 48, "max_frames": 48} | settings
    return MDM(make_spec(), slots, **settings)


def make_given(rows, slots=SLOTS, tokens=3, seed=1, width=WIDTH):
    """Null token first; rows have 1 .. tokens real tokens; what is switched off is garbage."""
    given = {}
    for number, slot in enumerate(slots):
        generator = torch.Generator().manual_seed(seed + number)
        values = torch.randn(rows, 1 + tokens, width, generator=generator)
        values[:, 0] = torch.randn(width, generator=generator)
        on = torch.arange(1 + tokens)[None] <= 1 + torch.arange(rows)[:, None] % tokens
        given[slot] = Condition(torch.where(on[..., None], values, 1e3), on)
    return given


def make_batch(lengths=(40, 33, 17, 8), seed=2):
    """Smooth motions, different for each row."""
    lengths = torch.tensor(lengths)
    generator = torch.Generator().manual_seed(seed)
    spec = make_spec()
    phase = torch.rand(len(lengths), 1, DIM, generator=generator) * 6.3
    x = torch.sin(torch.arange(int(lengths.max()))[None, :, None] * 0.3 + phase)
    return Batch([f"clip {i}" for i in range(len(lengths))], {}, lengths, Motion(spec.restore(x), lengths, spec))


def row_of(given, row):
    return {slot: Condition(c.tokens[row : row + 1], c.mask[row : row + 1]) for slot, c in given.items()}


@pytest.fixture
def make():
    return SimpleNamespace(
        spec=make_spec, model=make_model, given=make_given, batch=make_batch, row=row_of, slots=SLOTS, width=WIDTH
    )
