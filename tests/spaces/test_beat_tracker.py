from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.audio.bar_pointer import nearest
from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, length_mask
from motion_platform.nn.beat_network import METRES, tempo_class
from motion_platform.spaces.beat_tracker import BeatTracker, augment, targets

SPEC = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26), "frame")
SMALL = {"channels": 3, "width": 16, "layers": 4}


def music(beats: np.ndarray, bars: np.ndarray, seconds: float) -> torch.Tensor:
    """(N, 128) mel: a click a beat, and one with bass on bar lines."""
    mel = torch.full((round(seconds * 90), 128), 0.1)
    for at in beats:
        mel[round(at * 90) : round(at * 90) + 8, 30:70] = 0.7
    for at in bars:
        mel[round(at * 90) : round(at * 90) + 8, 90:] = 0.9
    return mel


def given(mel: torch.Tensor) -> dict[str, Condition]:
    mel = mel[None] if mel.ndim == 2 else mel
    return {"music": Condition(mel, torch.ones(mel.shape[:2], dtype=torch.bool), 90.0)}


@pytest.fixture
def tracker() -> BeatTracker:
    torch.manual_seed(0)
    return BeatTracker(SPEC, ("music",), **SMALL)


def test_targets_say_beat_bar_tempo_and_metre() -> None:
    beats = np.arange(0.5, 9.6, 0.5)
    beat, bar, tempo, metre = (t[0] for t in targets([(beats, beats[1::3])], 300))
    peaks = (beat > 0.6).nonzero()[:, 0].numpy()
    assert nearest((peaks + 0.5) / 30, beats).max() < 0.02
    assert nearest(beats, (peaks + 0.5) / 30).max() < 0.02
    assert (
        (bar == 1) == (torch.from_numpy(nearest((np.arange(300) + 0.5) / 30, beats[1::3])) < 0.25)
    ).float().mean() > 0.95
    inside = slice(16, 280)
    assert (tempo[inside] - tempo_class(torch.tensor(0.5))).abs().max() < 1e-4
    assert tempo[0] == metre[0] == -1
    assert (metre[31:240] == METRES.index(3)).all()
    assert all((t == -1).all() for t in targets([(np.zeros(0), np.zeros(0))], 30)[1:])


def test_augmented_music_keeps_its_beats_under_its_clicks() -> None:
    torch.manual_seed(0)
    beats = np.arange(0.5, 19, 0.6)
    mel = music(beats, beats[::4], 20)[None].expand(8, -1, -1)
    mask = torch.ones(mel.shape[:2], dtype=torch.bool)
    made, keep, events = augment(mel, mask, [(beats, beats[::4])] * 8, speed=1.4, bands=4, noise=0.0)
    assert made.shape == mel.shape
    assert made.min() >= 0
    assert made.max() <= 1
    periods = [np.diff(pair[0]).mean() for pair in events]
    assert max(periods) / min(periods) > 1.2
    for row in range(8):
        rise = made[row].diff(dim=0).clamp(min=0).sum(1)
        clicks = ((rise > 0.08 * rise.max()).nonzero()[:, 0].numpy() + 1.5) / 90
        real = clicks[clicks < float(keep[row].sum()) / 90 - 0.1]
        assert nearest(events[row][0][1:-1], real).max() < 0.04
        assert (made[row][~keep[row]] == 0).all()


def test_augmentation_does_not_play_so_fast_that_a_conductor_would_beat_half() -> None:
    torch.manual_seed(0)
    beats = np.arange(0.5, 19, 60 / 160)
    mel = music(beats, beats[::4], 20)[None].expand(16, -1, -1)
    mask = torch.ones(mel.shape[:2], dtype=torch.bool)
    *_, events = augment(mel, mask, [(beats, beats[::4])] * 16, speed=1.4, bands=0, noise=0.0)
    assert min(np.diff(pair[0]).mean() for pair in events) >= 60 / 165 - 1e-6


@pytest.mark.slow
def test_it_learns_clicks_and_then_finds_beats_and_bars(tracker: BeatTracker) -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(tracker.parameters(), lr=5e-3)
    for _ in range(120):
        rows, mels = [], []
        for _ in range(4):
            beats = np.arange(random.uniform(0, 0.5), 11.9, random.uniform(0.4, 0.9))
            rows.append({"beats": beats, "bars": beats[:: int(random.choice([3, 4]))]})
            mels.append(music(**rows[-1], seconds=12))
        batch = Batch(list("abcd"), {}, torch.full((4,), 360), events=rows)
        loss = tracker.loss(batch, given(torch.stack(mels)))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    tracker.eval()
    beats = np.arange(0.3, 19.5, 0.62)
    found = tracker.track(given(music(beats, beats[::3], 20)))[0]
    assert nearest(beats, found.times).max() < 0.05
    assert abs(len(found.times) - len(beats)) <= 2
    assert (found.metre == 3).mean() > 0.8
    assert nearest(beats[3:-3:3], found.bars).max() < 0.05


def test_padding_does_not_change_what_is_heard(tracker: BeatTracker) -> None:
    tracker.eval()
    beats = np.arange(0.3, 9, 0.5)
    mel = music(beats, beats[::4], 9)
    longer = torch.cat([mel, torch.ones(300, 128)])
    mask = length_mask(torch.tensor([len(mel)]), len(longer))
    with torch.no_grad():
        alone = tracker.network(mel[None], torch.ones(1, len(mel), dtype=torch.bool))
        padded = tracker.network(longer[None], mask)
    torch.testing.assert_close(padded.beat[:, : alone.beat.shape[1]], alone.beat, atol=1e-4, rtol=1e-4)


def test_long_music_in_pieces_is_the_same(tracker: BeatTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker.eval()
    mel = torch.rand(1, 2000, 128)
    mask = torch.ones(1, 2000, dtype=torch.bool)
    with torch.no_grad():
        whole = tracker.network(mel, mask).beat
        monkeypatch.setattr("motion_platform.nn.beat_network.CHUNK", 300)
        torch.testing.assert_close(tracker.network(mel, mask).beat, whole, atol=1e-5, rtol=1e-5)


def test_bad_use_is_an_error(tracker: BeatTracker) -> None:
    with pytest.raises(UsageError, match="does not embed motion"):
        tracker.embed(Motion(torch.zeros(1, 9, 26), torch.tensor([9]), SPEC))
    with pytest.raises(ConfigError, match="exactly one"):
        BeatTracker(SPEC, ())
    with pytest.raises(ConfigError, match="speed"):
        BeatTracker(SPEC, ("music",), speed=3.0)
    mel = torch.rand(1, 90, 128)
    with pytest.raises(DataError, match="no beats and bars"):
        tracker.loss(Batch(["a"], {}, torch.tensor([30])), given(mel))
    with pytest.raises(DataError, match="encoder mel"):
        tracker.track(given(torch.rand(1, 90, 64)))
