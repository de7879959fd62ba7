"""From a motion language model to motions: windows, what is known of them, and how kept frames run into made ones."""

from __future__ import annotations

import pytest
import torch

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Edit, Motion, Sampling
from motion_platform.core.seeding import NoiseSource


@pytest.fixture(scope="module")
def model(tiny_lm):
    """Windows of 12 steps of 4 frames, of which 3 are read again; fades over 5 frames."""
    model = tiny_lm(max_frames=48, blend_seconds=0.25).eval()
    assert (model.max_steps, model.tokenizer.stride, model.blend) == (12, 4, 5)
    return model


def test_seams_are_where_later_windows_write(model) -> None:
    assert model.answers.overlap == 3
    assert model.answers.seams(48) == []
    assert model.answers.seams(49) == [48]
    # Windows begin at steps 0, 9, 18, ...; each writes behind what the one before has written.
    assert model.answers.seams(100) == [48, 84]


def whole(keep_frames: list[int], frames: int, model, seed: int = 0) -> Edit:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, frames, model.spec.dim, generator=generator).cumsum(1) * 0.05
    keep = torch.zeros(1, frames, model.spec.dim, dtype=torch.bool)
    keep[0, keep_frames] = True
    return Edit(x, keep)


@pytest.mark.parametrize(
    ("kept", "steps"),
    [
        (range(8), [0, 1]),  # two whole steps
        (range(10), [0, 1, 2]),  # and half of the next one
        (range(9), [0, 1]),  # a quarter of it is left to the model: its neighbour is known
        ([17], [4]),  # one frame alone stands for its step
        ([0, 31], [0, 7]),
        ([], []),
        (range(32), list(range(8))),
    ],
)
def test_steps_are_known_that_are_kept_by_half_or_stand_alone(model, kept, steps: list[int]) -> None:
    (known,) = model.answers._known(whole(list(kept), 32, model), [32])
    assert list(known) == steps
    assert all(len(codes) == model.tokenizer.codebooks for codes in known.values())


def test_codes_of_what_is_known_come_from_the_nearest_kept_frames(model) -> None:
    edit = whole(list(range(12)), 32, model)
    filled = edit.x.clone()
    filled[0, 12:] = edit.x[0, 11]
    with torch.no_grad():
        codes = model.tokenizer.encode(Motion(filled, torch.tensor([32]), model.spec)).ids[0].tolist()
    (known,) = model.answers._known(edit, [32])
    assert known == {0: codes[0], 1: codes[1], 2: codes[2]}


def test_the_difference_of_kept_frames_fades_out_beside_them(model) -> None:
    """A straight line from the whole difference at a kept frame to none, ``blend`` + 1 frames away."""
    edit = whole([10, 11], 30, model)
    made = 1e3 * torch.randn(1, 30, model.spec.dim)
    out = model.answers._keep(made.clone(), edit, [30])
    assert torch.equal(out[0, 10:12], edit.x[0, 10:12])
    for frame in range(30):
        distance = max(10 - frame, frame - 11, 0)
        share = max(0.0, 1 - distance / 6)
        near = 10 if frame <= 10 else 11
        wanted = made[0, frame] + share * (edit.x[0, near] - made[0, near])
        assert torch.allclose(out[0, frame], wanted, atol=1e-3), frame


def test_rows_without_kept_frames_stay(model) -> None:
    one, two = whole([3], 12, model), whole([], 12, model)
    edit = Edit(torch.cat([one.x, two.x]), torch.cat([one.keep, two.keep]))
    out = model.answers._keep(torch.ones_like(edit.x), edit, [12, 12])
    assert torch.equal(out[1], torch.ones_like(out[1]))
    assert not torch.equal(out[0], torch.ones_like(out[0]))


def made(model, lengths: list[int], ids: list[str], **settings) -> torch.Tensor:
    noise = NoiseSource(ids, 0)
    return model.generate({}, torch.tensor(lengths), noise=noise, sampling=Sampling(), **settings).x


def test_a_long_motion_begins_as_the_short_one_and_has_no_holes(model) -> None:
    long, short = made(model, [110], ["a"]), made(model, [48], ["a"])
    # The first window is drawn from the same noise; the decoder sees some steps ahead.
    assert torch.allclose(long[0, :24], short[0, :24], atol=1e-5)
    assert long[0].abs().sum(-1).min() > 0


def test_frames_behind_the_end_of_a_row_are_zero(model) -> None:
    x = made(model, [30, 9], ["a", "b"])
    assert x.shape[1] == 30
    assert x[1, 9:].eq(0).all()
    assert x[1, :9].abs().sum(-1).min() > 0


@pytest.mark.parametrize(
    ("lengths", "ids", "sampling", "message"),
    [
        ([9], ["a", "b"], Sampling(), "motion_lm: 2 noise ids for 1 motions"),
        ([9, 0], ["a", "b"], Sampling(), "length 0 must be at least 1 frame"),
        ([9], ["a"], Sampling(steps=10), "--sampler, --steps: are for diffusion"),
        ([9], ["a"], Sampling(guidance={"text": 2.0}), "no slot 'text'"),
    ],
)
def test_requests_that_do_not_go(model, lengths, ids, sampling, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.generate({}, torch.tensor(lengths), noise=NoiseSource(ids, 0), sampling=sampling)


def test_edits_that_do_not_go(model) -> None:
    edit = whole([0, 1], 12, model)
    edit.keep[0, 1, :3] = False
    with pytest.raises(UsageError, match="keeps whole frames, not single joints"):
        made(model, [12], ["a"], edit=edit)
    with pytest.raises(UsageError, match=r"got an edit of shape x \(1, 12, 67\).*allowed: \(1, 13, 67\)"):
        made(model, [13], ["a"], edit=whole([0], 12, model))
