"""What the types that everything exchanges do, and up to where they take what they are given."""

from __future__ import annotations

import pytest
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import (
    LARGEST_AMPLITUDE,
    LARGEST_GUIDANCE,
    Audio,
    Batch,
    Condition,
    Mixture,
    Motion,
    MotionSpec,
    Sampling,
    Spans,
    length_mask,
)


def spec(mean: torch.Tensor, std: torch.Tensor) -> MotionSpec:
    return MotionSpec("humanml3d", "humanml3d", 20.0, mean, std)


def test_statistics_are_finite_numbers_of_features_and_every_std_is_above_zero() -> None:
    tiny = spec(torch.zeros(2), torch.tensor([1.0, 1e-30]))
    assert tiny.dim == 2
    for std in ([1.0, 0.0], [1.0, -1.0], [1.0, float("nan")], [1.0, float("inf")]):
        with pytest.raises(DataError, match="every std above 0"):
            spec(torch.zeros(2), torch.tensor(std))
    with pytest.raises(DataError, match="must be finite"):
        spec(torch.tensor([0.0, float("nan")]), torch.ones(2))
    for mean, std in ((torch.zeros(2), torch.ones(3)), (torch.zeros(1, 2), torch.ones(1, 2))):
        with pytest.raises(DataError, match="must be \\(D,\\)"):
            spec(mean, std)


def test_what_is_normalised_is_restored() -> None:
    of = spec(torch.tensor([1.0, -2.0]), torch.tensor([2.0, 0.5]))
    x = torch.tensor([[3.0, -1.0]])
    assert of.normalise(x).tolist() == [[1.0, 2.0]]
    assert torch.equal(of.restore(of.normalise(x)), x)
    assert of.to_dict() == {
        "representation": "humanml3d", "skeleton": "humanml3d", "fps": 20.0, "units": "metre", "dim": 2,
    }  # fmt: skip


def test_padding_is_outside_the_mask_and_everything_goes_to_a_device() -> None:
    x, lengths = torch.ones(2, 3, 2), torch.tensor([3, 1])
    motion = Motion(x, lengths, spec(torch.zeros(2), torch.ones(2)), own=2 * x)
    assert motion.mask.tolist() == [[True, True, True], [True, False, False]]
    assert length_mask(lengths).tolist() == motion.mask.tolist()
    moved = Batch(["a", "b"], {}, lengths, motion).to("meta")
    assert {moved.lengths.device.type, moved.motion.x.device.type, moved.motion.own.device.type} == {"meta"}
    assert Batch(["a"], {}, lengths).to("meta").motion is None
    assert Motion(x, lengths, motion.spec).to("meta").own is None
    condition = Condition(x, motion.mask, 30.0, encoded=x).to("meta")
    assert {condition.tokens.device.type, condition.mask.device.type, condition.encoded.device.type} == {"meta"}
    assert Condition(x, motion.mask).to("meta").encoded is None


def test_rows_of_a_condition_stacked_again_are_the_condition() -> None:
    random = torch.Generator().manual_seed(0)
    tokens, own = torch.randn(3, 4, 2, generator=random), torch.randn(3, 3, 5, generator=random)
    mask = torch.rand(3, 4, generator=random) < 0.5
    whole = Condition(tokens, mask, encoded=own)
    first, last = whole.rows(torch.tensor([0])), whole.rows(torch.tensor([2, 1]))
    assert (last.tokens[1].tolist(), last.mask[0].tolist()) == (tokens[1].tolist(), mask[2].tolist())
    again = Condition.stacked([first, last]).rows(torch.tensor([0, 2, 1]))
    assert torch.equal(again.tokens, tokens)
    assert torch.equal(again.mask, mask)
    assert torch.equal(again.encoded, own)
    without = Condition(tokens, mask).rows(torch.tensor([1]))
    assert without.encoded is None
    assert Condition.stacked([first, without]).encoded is None


def test_a_condition_that_is_dropped_is_its_null_token() -> None:
    tokens = torch.tensor([[[9.0], [1.0], [3.0]], [[9.0], [5.0], [7.0]]])
    condition = Condition(tokens, torch.tensor([[True, True, True], [True, True, False]]))
    assert condition.pooled().tolist() == [[2.0], [5.0]]
    assert condition.drop().pooled().tolist() == [[9.0], [9.0]]
    assert condition.drop(torch.tensor([True, False])).pooled().tolist() == [[9.0], [5.0]]
    assert condition.mask.sum() == 5  # the one that was given stays


def test_weights_of_a_mixture_are_brought_to_a_sum_of_one() -> None:
    assert Mixture.of([("happy", 0.25), ("sad", 0.75), ("old", 0.0)], "--emotion").parts == (
        ("happy", 0.25),
        ("sad", 0.75),
    )
    assert Mixture.of([("happy", 0.5)], "--emotion").parts == (("happy", 1.0),)  # less than one in all
    for weights in ([0.0, 0.0], [1.0, -0.5], [float("inf"), 1.0], [float("nan"), 1.0]):
        with pytest.raises(UsageError, match=r"--emotion: got a:.*allowed: weights of 0 or more"):
            Mixture.of(list(zip("ab", weights, strict=True)), "--emotion")


def test_guidance_and_amplitude_are_allowed_up_to_their_borders() -> None:
    assert (LARGEST_GUIDANCE, LARGEST_AMPLITUDE) == (100.0, 3.0)
    Sampling(guidance={"text": 100.0, "music": -100.0}, amplitude=3.0)
    assert Sampling(amplitude=0.0).amplitude == 0
    assert Sampling().amplitude == 1
    for weight in (100.001, -100.001, float("nan")):
        with pytest.raises(UsageError, match=r"--guidance: text: got .*; allowed: -100 to 100"):
            Sampling(guidance={"text": weight})
    for amplitude in (3.001, -0.001, float("nan")):
        with pytest.raises(UsageError, match=r"--amplitude: got .*; allowed: 0 to 3"):
            Sampling(amplitude=amplitude)


def test_a_motion_lasts_until_its_last_span_ends() -> None:
    spans = Spans(
        torch.tensor([0, 0, 1]), torch.tensor([0, 5, 0]), torch.tensor([9, 2, 4]), ("body", "left_arm", "body")
    )
    assert spans.ends.tolist() == [9, 7, 4]
    assert spans.totals().tolist() == [9, 4]
    some = spans.some(torch.tensor([1, 2]))
    assert (some.ends.tolist(), some.lanes) == ([7, 4], ("left_arm", "body"))


def test_a_part_of_a_recording_is_what_it_sounds_like() -> None:
    part = Audio(1.0, part=("long", 2.0, lambda: Audio(9.0)))
    assert part == Audio(1.0)
    assert (Audio(1.0).rate, Audio(1.0).samples, Audio(1.0).words) == (0, None, ())  # only its length is known
    assert "long" not in repr(part)
    assert Sampling(progress=print) == Sampling()
    assert "progress" not in repr(Sampling(progress=print))
