"""The frame rate of AMC files, found from the lengths that HumanML3D's index gives them."""

from pathlib import Path

import pytest

from motion_platform.data.sources.cmu_humanml3d import _amc_rate


def trial(folder: Path, name: str, frames: int) -> Path:
    """An AMC file of so many frames, each a line of its number and lines of joints."""
    path = folder / f"{name}.amc"
    lines = [":FULLY-SPECIFIED", ":DEGREES", *(line for k in range(frames) for line in (f"{k + 1}", "root 0 0 0"))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("rate", "taken"),
    [(30, 30), (25, 30), (42, 30), (43, 60), (60, 60), (84, 60), (86, 120), (120, 120), (240, 120), (2, 30)],
)
def test_the_rate_is_the_nearest_of_three_by_its_ratio(tmp_path, rate, taken):
    trials = {"a": trial(tmp_path, "a", 10 * rate)}
    assert _amc_rate(trials, {"a": [("1", 20, 60), ("2", 0, 200), ("3", 0, 150)]}) == taken  # 200 of 20 fps: 10 s


def test_most_trials_decide_and_those_of_other_formats_do_not(tmp_path):
    trials = {name: trial(tmp_path, name, 30 * fps) for name, fps in (("a", 4), ("b", 12), ("c", 12), ("d", 3))}
    parts = {name: [(name, 0, 60)] for name in trials}
    assert _amc_rate(trials, parts) == 60  # of 40, 120, 120 and 30: between 40 and 120
    del parts["d"]
    assert _amc_rate(trials, parts) == 120
    assert _amc_rate({"a": tmp_path / "a.bvh"}, {"a": [("1", 0, 60)]}) is None
    assert _amc_rate(trials | {"e": tmp_path / "e.bvh"}, parts | {"e": [("e", 0, 60)]}) == 120
