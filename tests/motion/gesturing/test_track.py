"""A track of strokes against its definition, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.motion.gesturing.track import COLUMNS, REACH, WIDTH, stroke_track


@pytest.mark.parametrize(("count", "rate"), [(1, 20.0), (2, 30.0), (5, 20.0), (9, 12.5)])
def test_every_number_is_as_the_definition_says(count: int, rate: float) -> None:
    random = np.random.default_rng(count)
    times, sizes = random.uniform(0, 12, count), random.uniform(0.1, 1, count)
    track = stroke_track(times.tolist(), sizes.tolist(), 260, rate)
    assert (track.shape, track.dtype, len(COLUMNS)) == ((260, 4), np.float32, 4)
    for k in range(260):
        at = (k + 0.5) / rate
        ahead = min((t - at for t in times if t >= at), default=np.inf)
        behind = min((at - t for t in times if t < at), default=np.inf)
        nearest = min(ahead, behind)
        size = 0.0
        if ahead < REACH:
            size = sizes[np.argmin(np.abs(times - (at + ahead)))]
        elif behind < REACH:
            size = sizes[np.argmin(np.abs(times - (at - behind)))]
        wanted = [max(1 - ahead / 1.5, 0), max(1 - behind / 1.5, 0), np.exp(-0.5 * (nearest / 0.1) ** 2), size]
        np.testing.assert_allclose(track[k], wanted, atol=1e-6, err_msg=str(k))
    assert (REACH, WIDTH) == (1.5, 0.1)


def test_an_apex_on_a_frame_is_told_there_and_without_frames_or_strokes_there_is_nothing() -> None:
    track = stroke_track([0.525], [0.7], 30, 20.0)
    np.testing.assert_allclose(track[10], [1.0, 0.0, 1.0, 0.7], atol=1e-6)
    np.testing.assert_allclose(track[11], [0.0, 1 - 0.05 / 1.5, np.exp(-0.125), 0.7], atol=1e-6)
    assert stroke_track([], [], 7, 20.0).tolist() == [[0.0] * 4] * 7
    assert stroke_track([1.0], [1.0], 0, 20.0).shape == (0, 4)
    far = stroke_track([1.525], [0.5], 80, 20.0)
    assert far[0, 3] == 0.0  # just a reach away
    assert far[1, 3] == 0.5
    assert far[59, 3] == 0.5
    assert far[60, 3] == 0.0
    both = stroke_track([0.25, 2.0], [0.3, 0.9], 2, 1.0)  # half a second on the next is just a reach away
    np.testing.assert_allclose(both[:, 3], [0.3, 0.9], atol=1e-6)
