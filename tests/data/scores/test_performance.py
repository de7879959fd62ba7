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


def rich(last=(3, 4), rests=True):
    """What ordinary music has: a pickup, offbeats, meters, tempi, chords that are held, parts that rest and enter
    again soon after one another, one that never plays; its last bar is of another meter and one beat long."""
    notes = [(q / 2, 0.45, 60 + q % 5, 40 + 3 * (q % 20), 0) for q in range(5, 240) if q not in range(56, 61)]
    for at in (28, 51, 54, 84, 96, 100):  # chords: of two beats, shorter than 0.9 of one, of one note, over notes
        notes += [(at, 2.0 if at != 51 else 1.2, 48 + 4 * k, 90, 1) for k in range(1 if at == 54 else 2)]
    notes += [(at, 0.5, 72, 100, 2) for at in (3, 4, 9, 9.5, 16, 22, 22.5, 30, 31, 40, 60, 90, 110)] if rests else []
    notes += [(at, 1.0, 80, 10 if at > 60 else 127, 3) for at in (4, 17, 18, 25, 44, 63, 95, 112)] if rests else []
    onset, duration, pitch, velocity, part = (np.array(values) for values in zip(*sorted(notes), strict=True))
    quiet = (onset >= 28) & (onset < 30) & (part == 0) | (onset >= 84) & (onset < 88) & (part == 0)
    kept = [values[~quiet] for values in (onset, duration, pitch, velocity, part)]
    meter = ((0.0, 4, 4), (44.0, 6, 8), (62.0, 2, 2), (82.0, 3, 4), (119.0, *last))
    tempo = ((0.0, 92.0), (13.0, 132.0), (30.5, 70.0), (62.0, 110.0), (100.0, 84.0))
    return Score("rich", *kept, (40, 41, 42, 43, 44), (False,) * 5, tempo, meter)


def test_a_rich_performance_is_what_it_was():
    found, short = {}, 0
    for seed in range(20):
        made = rich(last=((3, 4), (6, 8), (1, 4))[seed % 3], rests=seed % 4 > 0)
        if seed >= 10:  # bars in one and in two to the end
            made = replace(made, meter=((0.0, 3, 4), (60.0, 2, 4)), tempo=((0.0, 230.0), (90.0, 120.0)))
        if seed >= 14:  # a last bar of one beat, with which a phrase may begin
            made = score(bars=29, beats=1)
            made = replace(made, meter=((0.0, 4, 4),))
        conductor = replace(CONDUCTORS[list(CONDUCTORS)[seed % 5]], cues=1.0 if seed % 2 else 0.6)
        played = perform(made, conductor, np.random.default_rng(seed))
        plan = played.plan
        np.testing.assert_array_equal(plan.fermatas, plan.beats[plan.holds > 0])
        short += (plan.holds > 0).sum() - (plan.holds > 1).sum()
        names = {
            "onset": played.onset[::9], "duration": played.duration[::11], "velocity": played.velocity[::13],
            "beats": plan.beats[::5], "last": plan.beats[-3:], "holds": plan.holds, "cues": plan.cues,
            "dynamics": plan.dynamics[::61], "articulation": plan.articulation[::97], "count": plan.count[::7],
            "seconds": np.array([plan.seconds, played.onset.sum(), played.duration.sum(), plan.beats.sum()]),
        }  # fmt: skip
        found |= {f"{seed} {name}": np.asarray(values, np.float32) for name, values in names.items()}
    assert short > 0
    check_stored("conductor_rich", found, atol=1e-4, rtol=1e-5)


def test_what_is_so_soft_that_nothing_stands_out_has_no_dynamics():
    from motion_platform.data.scores.performance import _dynamics

    onset, duration = np.array([0.5, 2.0]), np.array([3.0, 2.0])
    assert not _dynamics(onset, duration, np.array([10.0, 10.0]), 300).any()
    loud = _dynamics(onset, duration, np.array([60.0, 127.0]), 300)
    assert (loud.min(), loud.max()) == (0, 1)
    assert loud[90] > loud[30] > 0.2  # two sound, one sounds
    assert loud[200] == 0  # nothing does


def test_a_part_of_a_performance_goes_from_its_start_to_before_its_stop():
    from motion_platform.data.scores.performance import part_of

    played = play()
    onset = np.arange(len(played.onset), dtype=float)
    cut = part_of(replace(played, onset=onset), 3.0, 7.0)
    assert cut.onset.tolist() == [3.0, 4.0, 5.0, 6.0]
    assert cut.plan is played.plan


def test_beats_that_may_be_held_are_chords_of_nine_tenths_of_it_with_nothing_in_two_beats():
    """In 6/8, a beat of one and a half quarters: which of eleven chords two beats apart are held in 80 performances."""
    from motion_platform.data.scores.performance import _fermatas
    from motion_platform.data.scores.score import grid

    lasts = {6: (1.4, 1.34), 8: (3.0,), 12: (1.36, 1.36)}
    notes = [(1.5 * k, length) for k in range(0, 22, 2) for length in lasts.get(k, (3.0, 3.0))]
    onset, duration = np.array(sorted([*notes, (17.5, 0.5)])).T  # a note within two beats of the chord at 10
    ones = np.ones(len(onset), np.int64)
    made = Score(
        "x", onset, duration, 60 * ones, 80 * ones, 0 * ones, (0,), (False,), ((0.0, 90.0),), ((0.0, 6, 8),)
    )  # fmt: skip
    beats = grid(made)
    assert len(beats.position) == 22
    held, last = [], []
    for seed in range(80):
        holds = _fermatas(made, beats, np.random.default_rng(seed))
        last += [holds[20]] if holds[20] else []
        held.append({k: float(holds[k]) for k in np.flatnonzero(holds).tolist() if k != 20})
    assert set().union(*held) == {4, 12, 14, 16}  # not the first two bars, nor the last two
    assert {len(each) for each in held} == {0, 1, 2, 3}
    assert all(0.8 <= hold <= 2.0 for each in held for hold in each.values())
    assert 25 < len(last) < 55
    assert all(0.6 <= hold <= 1.5 for hold in last)


@pytest.mark.parametrize(("first", "wanted"), [(0.5, [2.0, 9.0, 13.0]), (1.0, [2.0, 9.0, 13.0]), (1.5, [9.0, 13.0])])
def test_cues_are_entries_after_two_seconds_four_apart_and_one_behind_the_first_beat(first, wanted):
    """Written in seconds: of four parts one is silent, one enters 3.9 s after a cue and one 4.1."""
    from motion_platform.data.scores.performance import _cues

    onset = np.array([1.9, 2.1, 2.5, 5.0, 9.0, 12.9, 13.1])
    duration, part = np.array([0.1, 0.3, 0.5, 1.0, 1.0, 5.0, 1.0]), np.array([4, 0, 0, 0, 0, 1, 2])
    ones = np.ones(7, np.int64)
    made = Score("x", onset, duration, ones, ones, part, (0,) * 5, (False,) * 5, ((0.0, 60.0),), ((0.0, 4, 4),))
    shows = replace(CONDUCTORS["classical"], cues=1.0)
    beats = np.arange(first, 20, 0.5)
    assert _cues(made, beats, lambda at: at, shows, np.random.default_rng(0)).tolist() == wanted
    assert not len(_cues(made, beats, lambda at: at, replace(shows, cues=0.0), np.random.default_rng(0)))
