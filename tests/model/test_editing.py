"""What edits keep."""

import pytest
import torch

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.model import editing
from motion_platform.motion.representations import get_representation


def kept_frames(edit, row):
    """Frames that are kept whole; frames are kept whole or not at all."""
    keep = edit.keep[row]
    assert torch.equal(keep.any(-1), keep.all(-1))
    return keep.all(-1).nonzero().flatten().tolist()


def test_prefix_and_continuation(make):
    motion = make.batch((40, 30)).motion
    edit = editing.prefix(motion, 0.5)
    assert kept_frames(edit, 0) == list(range(10))
    longer = editing.prefix(motion, 1.75, lengths=torch.tensor([100, 80]))
    assert longer.x.shape == (2, 100, 67)
    assert kept_frames(longer, 0) == list(range(35))
    assert kept_frames(longer, 1) == list(range(30))  # no more than there is
    assert torch.equal(longer.x[0, :40], motion.x[0])


def test_in_between_counts_from_each_end(make):
    edit = editing.in_between(make.batch((40, 30)).motion, 0.25, 0.5)
    assert kept_frames(edit, 0) == [*range(5), *range(30, 40)]
    assert kept_frames(edit, 1) == [*range(5), *range(20, 30)]


def test_key_frames(make):
    motion = make.batch((40, 30)).motion
    edit = editing.key_frames(motion, [0, 7, -1])
    assert kept_frames(edit, 0) == [0, 7, 39]
    assert kept_frames(edit, 1) == [0, 7, 29]
    for bad in (30, -31):
        with pytest.raises(UsageError, match=f"{bad}; allowed: -30 to 29"):
            editing.key_frames(motion, [bad])


def test_body_part(make):
    motion = make.batch((12, 9)).motion
    edit = editing.body_part(motion, "upper_body")
    made = get_representation("humanml3d_essential").part_columns("upper_body")
    assert not edit.keep[..., made].any()
    assert edit.keep[0].sum() == 12 * (67 - len(made))
    assert edit.keep[..., :4].all(-1)[1].tolist() == [True] * 9 + [False] * 3  # the path is kept
    with pytest.raises(UnknownName, match="body part"):
        editing.body_part(motion, "tail")


def test_impossible_edits(make):
    motion = make.batch((12, 9)).motion
    with pytest.raises(UsageError, match="prefix_seconds"):
        editing.prefix(motion, -1.0)
    with pytest.raises(UsageError, match="3 lengths for 2"):
        editing.prefix(motion, 1.0, lengths=torch.tensor([1, 2, 3]))
