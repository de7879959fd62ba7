import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Segment
from motion_platform.core.schedule import starts_of


def segment(lane="body", start=None):
    return Segment("act", f"a person acts with the {lane}", lane=lane, start=start)


def test_what_shares_a_part_follows_and_what_does_not_runs_together():
    lanes = ["lower_body", "right_arm", "left_arm", "body", "upper_body", "lower_body", "right_arm"]
    starts = starts_of([segment(lane) for lane in lanes], [4, 2, 3, 1, 2, 2, 1])
    assert starts == [0, 0, 0, 4, 5, 5, 7]


def test_one_part_twice_at_a_time_is_refused_in_one_line():
    with pytest.raises(
        UsageError, match=r"begins at 1 s, while .*upper_body.* moves the right arm until 3 s"
    ) as raised:
        starts_of([segment("upper_body"), segment("right_arm", start=1.0)], [3, 1])
    assert "\n" not in str(raised.value)
    assert starts_of([segment("left_arm"), segment("right_arm", start=0.5)], [3, 1]) == [0, 0.5]


def test_the_one_that_is_in_the_way_is_named_and_neither_one_that_has_ended_nor_another_part():
    segments = [segment("left_arm"), segment("right_arm"), segment("upper_body"), segment("right_arm", start=5.0)]
    for second, third in ((2, 3), (3, 3)):  # seconds 3 to 6
        with pytest.raises(UsageError, match=r"upper_body' moves the right arm until 6 s"):
            starts_of(segments, [3, second, third, 1])
    alone = [segment("left_arm"), segment("right_arm"), segment("right_arm", start=2.0)]
    with pytest.raises(UsageError, match=r"right_arm' moves the right arm until 3 s"):
        starts_of(alone, [9, 3, 1])


def test_a_time_at_which_nothing_happens_is_refused():
    with pytest.raises(UsageError, match="nothing happens from 2 to 5 s"):
        starts_of([segment(), segment(start=5.0)], [2, 1])


def test_a_rounding_error_is_neither_an_overlap_nor_a_gap():
    for start in (2.0 - 5e-7, 2.0 + 5e-7):
        assert starts_of([segment(), segment(start=start)], [2, 1]) == [0, start]
    with pytest.raises(UsageError, match="while"):
        starts_of([segment(), segment(start=2.0 - 2e-6)], [2, 1])
    with pytest.raises(UsageError, match="nothing happens"):
        starts_of([segment(), segment(start=2.0 + 2e-6)], [2, 1])
