"""Performances: the beats are where the notes are, and what was changed is what was asked for."""

from dataclasses import replace

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.data.scores.conductors import CONDUCTORS
from motion_platform.data.scores.performance import perform
from motion_platform.data.scores.score import Score


def score(bars=16, beats=4, tempo=100.0, parts=2, long_at=()):
    """Quarter notes in every part; a half note at the quarters in ``long_at``, and nothing beside it."""
    quarters = [q for q in range(bars * beats) if q - 1 not in long_at]
    onset = np.repeat(np.array(quarters, np.float64), parts)
    part = np.tile(np.arange(parts), len(quarters))
    duration = np.where(np.isin(onset, long_at), 2.0, 1.0)
    return Score(
        "made", onset, duration, 60 + 4 * part, np.full(len(onset), 80), part, (40,) * parts, (False,) * parts,
        ((0.0, tempo),), ((0.0, beats, 4),),
    )  # fmt: skip


def play(made=None, style="classical", seed=0):
    return perform(made or score(), CONDUCTORS[style], np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_every_note_that_is_on_a_beat_is_heard_there(seed):
    played = play(seed=seed)
    nearest = np.abs(played.onset[:, None] - played.plan.beats[None]).min(1)
    assert nearest.max() < 0.05
    assert nearest.mean() > 0.001  # people are not together
    assert len(played.plan.beats) == 64
    np.testing.assert_array_equal(played.plan.bars, played.plan.beats[::4])
    assert (np.diff(played.plan.beats) > 0.2).all()


def test_tempo_is_near_what_is_written_and_never_steady():
    tempi = np.array([60 / np.median(np.diff(play(seed=k, style="grand").plan.beats)) for k in range(12)])
    assert 85 < np.median(tempi) < 118
    assert tempi.std() > 3
    beats = np.diff(play(style="grand").plan.beats)
    assert 0.01 < beats[:-8].std() / beats.mean() < 0.3


def test_the_close_is_slower():
    last = [np.diff(p.plan.beats)[-2] / np.median(np.diff(p.plan.beats)) for p in (play(seed=k) for k in range(10))]
    assert np.median(last) > 1.05


def test_held_beats_are_long_notes_and_longer_than_their_neighbours():
    held = 0
    for seed in range(20):
        made = score(long_at=(19, 43))
        plan = play(made, seed=seed).plan
        steps = np.diff(plan.beats)
        for k in np.flatnonzero(plan.holds[:-1]):
            held += 1
            assert k in (19, 43, 63)
            assert steps[k] > 1.4 * steps[k - 2]
    assert held > 5


def test_a_pickup_starts_the_beats_there():
    made = score()
    late = replace(made, onset=made.onset + 3)
    plan = play(late).plan
    assert (plan.index[0], plan.count[0]) == (3, 4)
    assert len(plan.beats) == 64


def test_dynamics_follow_the_notes():
    made = score(bars=32)
    loud = (made.onset // 32) % 2 == 1
    played = play(replace(made, velocity=np.where(loud, 115, 30)))
    at = np.clip((played.onset * 30).astype(int) + 10, 0, len(played.plan.dynamics) - 1)
    assert played.plan.dynamics[at][loud].mean() > played.plan.dynamics[at][~loud].mean() + 0.3
    assert played.plan.dynamics.min() >= 0
    assert played.plan.dynamics.max() <= 1
    assert played.plan.dynamics[:15].max() < 0.1  # nothing sounds yet


def test_entries_after_a_rest_are_cued():
    made = score(bars=24)
    kept = (made.part == 0) | (made.onset < 20) | (made.onset >= 60)
    cut = {name: getattr(made, name)[kept] for name in ("onset", "duration", "pitch", "velocity", "part")}
    cued = 0
    for seed in range(10):
        plan = perform(replace(made, **cut), CONDUCTORS["lively"], np.random.default_rng(seed)).plan
        at = plan.beats[60]
        cued += bool((np.abs(plan.cues - at) < 0.3).any())
    assert 4 <= cued <= 10


def test_the_same_seed_plays_the_same():
    a, b, c = play(seed=5), play(seed=5), play(seed=6)
    np.testing.assert_array_equal(a.onset, b.onset)
    np.testing.assert_array_equal(a.plan.beats, b.plan.beats)
    assert a.plan.beats[-1] != c.plan.beats[-1]


def test_another_tempo_begins_with_the_second_phrase():
    """Without rubato all that changes from phrase to phrase is the level; the second phrase may have its own."""
    steady = replace(CONDUCTORS["classical"], rubato=0.0)
    made = score(bars=16)
    changed = []
    for seed in range(30):
        beats = np.diff(perform(made, steady, np.random.default_rng(seed)).plan.beats)
        changed.append(abs(np.log(np.median(beats[18:30]) / np.median(beats[2:12]))))
    assert max(changed) > 0.05


def test_a_performance_is_what_it_was():
    """A prepared set of made-up performances can be made again: every number of the playing counts."""
    found = {}
    made = score(bars=40, parts=3, long_at=(19, 43, 87, 120))
    quiet = (made.part == 2) & (made.onset > 40) & (made.onset < 60)  # a part that rests, and enters again
    names = ("onset", "duration", "pitch", "velocity", "part")
    made = replace(made, **{name: getattr(made, name)[~quiet] for name in names})
    for seed, style in enumerate([*CONDUCTORS, *CONDUCTORS]):
        played = play(made, style, seed)
        plan = played.plan
        found |= {
            f"{seed} {name}": np.asarray(values, np.float64).round(3)
            for name, values in {
                "onset": played.onset[::7], "duration": played.duration[::7], "velocity": played.velocity[::7],
                "beats": plan.beats, "holds": plan.holds, "cues": plan.cues, "dynamics": plan.dynamics[::29],
                "articulation": plan.articulation[::29], "seconds": np.array([plan.seconds]),
            }.items()
        }  # fmt: skip
    assert any(len(found[f"{seed} cues"]) for seed in range(10))
    assert any(found[f"{seed} holds"][:-1].any() for seed in range(10))
    check_stored("conductor_performance", found, atol=2e-3)
