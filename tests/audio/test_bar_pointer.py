"""The pointer against a search that looks at everything, and against beats that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from motion_platform.audio.bar_pointer import Beats, Pointer, decode, lengths, nearest
from motion_platform.core.errors import DataError

RATE = 30.0


def heard(beats: np.ndarray, seconds: float, *, high: float = 0.9, noise: float = 0.05) -> np.ndarray:
    """Probabilities that a good network would give."""
    time = (np.arange(round(seconds * RATE)) + 0.5) / RATE
    random = np.random.default_rng(0).uniform(0.01, noise, len(time))
    return np.clip(high * np.clip(1 - nearest(time, beats) * RATE / 1.5, 0, 1) + random, 0.01, 0.98)


def downbeats(beats: np.ndarray, every: int, seconds: float) -> np.ndarray:
    time = (np.arange(round(seconds * RATE)) + 0.5) / RATE
    at = np.abs(time[:, None] - beats).argmin(1)
    return np.where(at % every == 0, 0.7, 0.2)


@pytest.mark.parametrize(("period", "every"), [(0.41, 4), (0.52, 3), (0.75, 2), (1.3, 4), (0.6, 6)])
def test_steady_beats_and_bars_are_found(period: float, every: int) -> None:
    beats = np.arange(0.4, 29.5, period)
    found = decode(heard(beats, 30), downbeats(beats, every, 30), RATE)
    inner = found.times[(found.times > 0.3) & (found.times < beats[-1] + 0.1)]
    assert len(inner) == len(beats)
    assert np.abs(inner - beats).max() < 0.02
    assert (found.metre == every).mean() > 0.9
    assert nearest(beats[::every], found.bars).max() < 0.02


def test_a_slowing_tempo_is_followed() -> None:
    beats = 0.3 + np.cumsum(np.geomspace(0.4, 0.8, 45))
    found = decode(heard(beats, beats[-1] + 0.3), np.full(round((beats[-1] + 0.3) * RATE), 0.3), RATE)
    assert nearest(beats, found.times).max() < 0.03
    assert abs(len(found.times) - len(beats)) <= 2


def test_there_are_no_beats_in_the_silence_around_the_music() -> None:
    beats = np.arange(10.0, 19.9, 0.5)
    activation = np.where(nearest((np.arange(900) + 0.5) / 30, beats) < 0.05, 0.8, 0.003)
    found = decode(activation, np.full(900, 0.3), RATE)
    assert len(found.times) == len(beats)
    assert nearest(found.times, beats).max() < 0.02
    assert len(decode(np.full(900, 0.01), np.full(900, 0.3), RATE).times) == 0


def test_beats_that_are_not_heard_are_filled_in() -> None:
    beats = np.arange(0.4, 29.5, 0.55)
    heard_ones = np.delete(beats, [9, 20, 21, 33])
    found = decode(heard(heard_ones, 30), downbeats(beats, 4, 30), RATE)
    assert nearest(beats, found.times).max() < 0.05


@pytest.mark.parametrize(("meant", "answer"), [(0.5, 0.5), (1.0, 1.0)])
def test_the_tempo_that_is_heard_decides_between_beat_and_half(meant: float, answer: float) -> None:
    pulses = np.arange(0.3, 29.5, 0.5)
    beat = np.where(np.arange(len(pulses)) % 2 == 0, 0.6, 0.4)  # every second one a little stronger
    activation = np.maximum.reduce([heard(pulses[i : i + 1], 30, high=p) for i, p in enumerate(beat)])
    n = lengths(RATE) / RATE
    tempo = np.tile(-0.5 * (np.log(n / meant) / 0.1) ** 2, (len(activation), 1))
    found = decode(activation, np.full(len(activation), 0.3), RATE, tempo=tempo)
    assert np.median(np.diff(found.times)) == pytest.approx(answer, abs=0.02)


@pytest.mark.parametrize("preferred", [0.5, 1.0])
def test_what_is_expected_decides_where_nothing_else_does(preferred: float) -> None:
    strong, weak = np.arange(0.3, 29.5, 1.0), np.arange(0.8, 29.5, 1.0)
    activation = np.maximum(heard(strong, 30, high=0.7), heard(weak, 30, high=0.3))
    pointer = Pointer(preferred=preferred, spread=0.3)
    unsure = np.zeros((900, len(lengths(RATE, pointer))))
    found = decode(activation, np.full(900, 0.3), RATE, pointer, tempo=unsure)
    assert np.median(np.diff(found.times)) == pytest.approx(preferred, abs=0.02)


def test_the_metre_that_is_heard_decides_where_bar_lines_do_not() -> None:
    beats = np.arange(0.3, 29.5, 0.5)
    pointer = Pointer()
    for want in (3, 4):
        metre = np.tile(np.where(np.array(pointer.metres) == want, -0.2, -4.0), (900, 1))
        found = decode(heard(beats, 30), np.full(900, 0.3), RATE, pointer, metre=metre)
        assert (found.metre == want).all()


def test_it_is_the_best_path_of_all() -> None:
    """Every path over 15 frames is scored by hand; the decoder's must be the best."""
    pointer = Pointer(
        fastest=3 / 30,
        slowest=5 / 30,
        metres=(2, 3),
        rigidity=5.0,
        change=0.1,
        threshold=0.0,
        tempo=2.0,
        preferred=0.15,
        spread=0.1,
    )
    n = lengths(RATE, pointer)
    assert n.tolist() == [3, 4, 5]
    random = np.random.default_rng(3)
    beat, bar = random.uniform(0.02, 0.9, 15), random.uniform(0.1, 0.9, 15)
    answers, metre = random.normal(-1, 1, (15, 3)), random.normal(-1, 1, (15, 2))
    tempo = answers - 0.5 * (np.log(n / RATE / 0.15) / 0.1) ** 2

    def cost(old: int, new: int) -> float:
        def raw(a: int, b: int) -> float:
            return -pointer.rigidity * max(abs(int(n[a]) - int(n[b])) - 0.75, 0) / n[a]

        allowed = [a for a in range(3) if n[new] / 1.25 - 1 <= n[a] <= n[new] * 1.25 + 1]
        near = raw(old, new) - np.log(sum(np.exp(raw(a, new)) for a in allowed)) if old in allowed else -np.inf
        return max(near, pointer.jump)

    def score(path: list[tuple[int, int, int, int]]) -> float:
        """path: (frame, length that led there, metre, place) of every beat."""
        total = -np.log(5 * 3)
        for i, (s, length, m, place) in enumerate(path):
            if i:
                before, old, m_before, _ = path[i - 1]
                total += cost(old, length)
                if place == 0:
                    total += np.log(0.9 if m == m_before else 0.1)
            else:
                before = None
            quiet_from = 0 if before is None else before + 2
            total += np.log1p(-beat[quiet_from : max(0, s - 1)]).sum()
            first = 0 if before is None else before
            total += (2 * tempo[first:s, length].sum() + 0.5 * metre[first:s, m].sum()) / RATE
            total += np.log(beat[s]) + (np.log(bar[s]) if place == 0 else np.log1p(-bar[s]))
        s, length, m, _ = path[-1]
        return total + np.log1p(-beat[s + 2 :]).sum() + (2 * tempo[s:, length].sum() + 0.5 * metre[s:, m].sum()) / RATE

    def paths(path):
        s, length, m, place = path[-1]
        if n[length] > 14 - s:
            yield path
        for k, frames in enumerate(n):
            if s + frames < 15:
                following = [(m, place + 1)] if place + 1 < (2, 3)[m] else [(0, 0), (1, 0)]
                for m_next, place_next in following:
                    yield from paths([*path, (s + int(frames), k, m_next, place_next)])

    starts = [(s, k, m, p) for k in range(3) for s in range(n[k]) for m in range(2) for p in range((2, 3)[m])]
    best = max(itertools.chain.from_iterable(paths([start]) for start in starts), key=score)
    found = decode(beat, bar, RATE, pointer, tempo=answers, metre=metre)
    assert np.floor(found.times * RATE + 0.5).astype(int).tolist() != []
    assert len(found.times) == len(best)
    assert np.abs(found.times * RATE - 0.5 - [s for s, *_ in best]).max() <= 1
    assert found.position.tolist() == [place + 1 for *_, place in best]
    assert found.metre.tolist() == [(2, 3)[m] for _, _, m, _ in best]


def test_phases_run_from_beat_to_beat_and_from_bar_to_bar() -> None:
    beats = Beats(np.array([1.0, 1.5, 2.0, 2.5]), np.array([3, 1, 2, 3]), np.array([3, 3, 3, 3]))
    beat, bar = beats.phase(np.array([0.75, 1.0, 1.25, 1.5, 2.25, 2.75, 3.0]))
    assert beat == pytest.approx([0.5, 0, 0.5, 0, 0.5, 0.5, 0])
    assert bar == pytest.approx([0.5, 2 / 3, 2.5 / 3, 0, 0.5, 2.5 / 3, 0])
    assert beats.bars.tolist() == [1.5]
    none = Beats(np.zeros(0), np.zeros(0, int), np.zeros(0, int))
    assert not none.phase(np.array([0.0, 1.0]))[0].any()


def test_too_short_is_no_beat_and_bad_input_is_an_error() -> None:
    assert len(decode(np.full(5, 0.5), np.full(5, 0.5), RATE).times) == 0
    assert len(decode(np.zeros(0), np.zeros(0), RATE).times) == 0
    with pytest.raises(DataError, match="tempo has shape"):
        decode(np.full(90, 0.5), np.full(90, 0.5), RATE, tempo=np.zeros((90, 2)))
    with pytest.raises(DataError, match="bar has shape"):
        decode(np.full(90, 0.5), np.full(80, 0.5), RATE)
    with pytest.raises(DataError, match="NaN"):
        decode(np.full(90, np.nan), np.full(90, 0.5), RATE)
    with pytest.raises(DataError, match="probabilities"):
        decode(np.full(90, 1.5), np.full(90, 0.5), RATE)
    with pytest.raises(ValueError, match="fastest"):
        Pointer(fastest=2.0, slowest=1.0)
    with pytest.raises(ValueError, match="preferred"):
        Pointer(spread=0.0)


def test_nearest() -> None:
    assert nearest(np.array([0.0, 1.4, 9.0]), np.array([1.0, 2.0])) == pytest.approx([1.0, 0.4, 7.0])
    assert np.isinf(nearest(np.array([0.0]), np.zeros(0))).all()
