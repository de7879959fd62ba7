"""Bodies that walk on legs made here: where they go so that their feet stay."""

from __future__ import annotations

import numpy as np
from stored_arrays import check_stored

from motion_platform.motion.rigs.feet import MOST_LIFTED, body_way

FRAMES, FPS = 60, 20.0


def leg(side: float, bend: np.ndarray, swing: np.ndarray) -> list[np.ndarray]:
    """Hip, knee, ankle and toes of a leg, under a body that stays where it is."""
    hip = np.tile([0.1 * side, 0.9, 0.0], (len(bend), 1))
    thigh = np.stack([0 * bend, -np.cos(swing - bend / 2), -np.sin(swing - bend / 2)], axis=-1)
    shank = np.stack([0 * bend, -np.cos(swing + bend / 2), -np.sin(swing + bend / 2)], axis=-1)
    knee = hip + 0.45 * thigh
    ankle = knee + 0.4 * shank
    return [hip, knee, ankle, ankle + np.array([0.0, -0.05, 0.12])]


def test_while_one_foot_stands_the_body_alone_goes_with_it() -> None:
    clock = np.linspace(0, 1, FRAMES)
    legs = [leg(side, 0.3 + 0.1 * side * np.sin(3 * clock), 0.3 * side * (1 - 2 * clock)) for side in (1.0, -1.0)]
    left = clock < 0.5
    way, places = body_way(legs, [left, ~left], [0.02, 0.02], FPS)
    for stands, (*_, toe), place in zip((left, ~left), legs, places, strict=True):
        assert place.shape == (1, 3)
        off = np.linalg.norm((toe + way - place)[stands], axis=-1)
        assert off.max() < 0.006  # where one foot takes over at once
        assert off.mean() < 0.001
    assert np.ptp(way[:, 2]) > 0.2  # it walked


def test_what_two_feet_cannot_both_have_goes_where_it_bends_the_knees_least() -> None:
    """Toes that the angles bring 16 mm apart in height: each foot is off by 5 mm at most, and the straight leg keeps
    its length."""
    still = np.zeros(FRAMES)
    straight, bent = leg(1.0, still + 0.05, still), leg(-1.0, still + 0.8, still)
    shift = straight[3][0, 1] - bent[3][0, 1] + 0.016
    bent = [part + np.array([0.0, shift, 0.0]) for part in bent]
    both = np.ones(FRAMES, bool)
    way, places = body_way([straight, bent], [both, both], [0.02, 0.02], FPS)
    off = [np.abs(toe + way - place)[:, 1].max() for (*_, toe), place in zip((straight, bent), places, strict=True)]
    assert off[0] < off[1]
    assert all(abs(place[0, 1] - 0.02) < MOST_LIFTED + 1e-6 for place in places)
    assert np.isclose(off[0] + off[1] + abs(places[0][0, 1] - places[1][0, 1]), 0.016, atol=1e-4)


def test_a_body_that_never_stands_goes_its_way() -> None:
    still = np.zeros(3)
    never = np.zeros(3, bool)
    way, places = body_way([leg(1.0, still + 0.3, still)] * 2, [never, never], [0.0, 0.0], FPS)
    assert np.abs(way).max() < 1e-9
    assert [place.shape for place in places] == [(0, 3), (0, 3)]


def test_a_single_frame_and_two_are_enough() -> None:
    for count in (1, 2):
        still, always = np.zeros(count), np.ones(count, bool)
        way, places = body_way([leg(s, still + 0.3, still) for s in (1.0, -1.0)], [always] * 2, [0.0, 0.0], FPS)
        assert way.shape == (count, 3)
        assert np.isfinite(way).all()
        assert len(places[0]) == 1


def test_ways_and_places_are_what_they_were() -> None:
    """A body that walks, turns and hops on legs of two lengths, at two rates: the solution of one least squares."""
    random = np.random.default_rng(7)
    made: dict[str, np.ndarray] = {}
    clock = np.linspace(0, 1, 36)
    for k, fps in enumerate((20.0, 50.0)):
        legs = []
        for side in (1.0, -1.0):
            swing = 0.4 * np.sin(9 * clock + side) + random.normal(0, 0.02, 36)
            parts = leg(side, 0.25 + 0.2 * np.cos(9 * clock + side), swing)
            drift = np.stack([0.1 * np.sin(4 * clock), 0.02 * side * clock, 0.3 * clock], axis=-1)
            legs.append([part * (1.0 + 0.05 * k * (side > 0)) + drift for part in parts])
        left, right = np.sin(9 * clock) > -0.3, np.sin(9 * clock + 2.5) > 0.1
        way, places = body_way(legs, [left, right], [0.02, 0.04 + 0.02 * k], fps)
        made |= {f"way {k}": way, f"left {k}": places[0], f"right {k}": places[1]}
        for place, height in zip(places, (0.02, 0.04 + 0.02 * k), strict=True):
            assert np.abs(place[:, 1] - height).max() < MOST_LIFTED + 1e-4
    assert any(np.abs(made[f"left {k}"][:, 1] - 0.02).max() > 0.8 * MOST_LIFTED for k in range(2))
    check_stored("ways_of_feet", made, atol=1e-6)
