"""What a time line shows of a motion, from the motion's own record."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.motion.clip import Clip
from motion_platform.motion.marks import marks_of
from motion_platform.motion.skeleton import get_skeleton


def clip(**info) -> Clip:
    return Clip(np.zeros((41, 22, 3), np.float32), 20.0, get_skeleton("humanml3d"), info=info)


def test_kept_seconds_end_with_the_motion() -> None:
    marks = marks_of(clip(keep="in_between", kept=[[0.0, 0.5], [1.5, 2.05]]))
    assert marks.kept == [[0.0, 0.5], [1.5, 2.0]]
    assert (marks.what, marks.seams, marks.segments) == ("kept", [], [])


def test_a_kept_half_of_the_body_is_called_so() -> None:
    assert marks_of(clip(keep="upper_body", kept=[[0, 2.05]])).what == "upper body kept"


def test_segments_of_a_plan_meet_in_seams() -> None:
    segments = [
        {"text": "a person walks", "start": 0.0, "seconds": 1.2, "lane": "body"},
        {"text": "a person waves", "start": 1.2, "seconds": 0.85, "lane": "upper_body"},
    ]
    marks = marks_of(clip(plan={"segments": segments}, seam_times=[1.6, 99.0]))
    assert marks.segments == [(0.0, 1.2, "a person walks", "body"), (1.2, 2.0, "a person waves", "upper_body")]
    assert marks.seams == [1.2, 1.6]


@pytest.mark.parametrize(
    "info",
    [
        {"kept": "all"}, {"kept": [[1]]}, {"kept": [["a", "b"]]}, {"kept": [[float("nan"), 1.0]]}, {"plan": 3},
        {"plan": {"segments": [{"start": "0", "seconds": 1, "lane": "body"}, 4]}}, {"seam_times": 2.0},
        {"seam_times": [None, True]},
    ],
)  # fmt: skip
def test_what_a_file_says_wrongly_marks_nothing(info: dict) -> None:
    marks = marks_of(clip(**info))
    assert (marks.kept, marks.seams, marks.segments) == ([], [], [])


def test_times_are_told_in_milliseconds_and_end_with_the_motion() -> None:
    rows = [{"start": 0.12345, "seconds": 1.00015, "text": None, "lane": "body"}]
    kept = [[0.12345, 1.23456], [-1.0, 0.5], [2.0, 3.0], [2.01, 3.0]]
    marks = marks_of(clip(plan={"segments": rows}, seam_times=[1.34567, 0.0, 2.0, -1.0, 1.9999], kept=kept))
    assert marks.seams == [0.123, 1.346, 2.0]
    assert marks.segments == [(0.123, 1.124, "", "body")]
    assert marks.kept == [[0.123, 1.235], [0.0, 0.5], [2.0, 2.0]]
    assert marks.plain()["segments"] == [[0.123, 1.124, "", "body"]]
