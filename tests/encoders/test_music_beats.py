from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motion_platform.audio.bar_pointer import Beats
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Audio
from motion_platform.encoders.mel import Mel
from motion_platform.encoders.music_beats import MusicBeats, as_written, clock_features, loudness


def test_the_mel_goes_through_unchanged() -> None:
    mel = np.random.default_rng(0).random((200, 128)).astype(np.float32)
    made = Mel()([Audio(200 / 90, features={"mel": mel}), None, Audio(1.0, features={"mel": mel[:90]})])
    assert made.rate_hz == 90.0
    assert np.array_equal(made.tokens[0].numpy(), mel)
    assert made.mask.sum(1).tolist() == [200, 0, 90]
    assert (made.tokens[1] == 0).all()


def test_the_clock_counts_beats_and_bars() -> None:
    beats = Beats(np.arange(0.5, 9.6, 0.5), np.arange(19) % 3 + 1, np.full(19, 3))
    clock = clock_features(beats, 300)
    groups = MusicBeats.groups()
    at = [round(t * 30 - 0.5) for t in (2.5, 2.75, 3.5)]  # the second beat of bar 2, half a beat later, a bar line
    seconds = (np.array(at) + 0.5) / 30
    phase = 2 * math.pi * ((seconds - 0.5) / 0.5)
    np.testing.assert_allclose(clock[at][:, groups["beat"]], np.stack([np.cos(phase), np.sin(phase)], 1), atol=1e-5)
    np.testing.assert_allclose(
        clock[at][:, groups["bar"]], np.stack([np.cos(phase / 3), np.sin(phase / 3)], 1), atol=1e-5
    )
    assert torch.allclose(clock[:, groups["tempo"]], torch.tensor(2.0))
    assert clock[at][:, groups["metre"]].argmax(1).tolist() == [2, 2, 2]
    pulse = clock[:, groups["pulse"]]
    assert pulse[at[0], 0] > 0.8 > 0.1 > pulse[at[0], 1]
    assert pulse[at[2]].min() > 0.8
    assert (clock_features(Beats(np.zeros(0), np.zeros(0, int), np.zeros(0, int)), 30) == 0).all()


def test_loudness_is_the_mean_over_a_second_and_over_what_there_is_at_the_ends() -> None:
    level = np.random.default_rng(1).random(300).astype(np.float32)  # 10 s at 30 Hz
    heard = loudness(torch.from_numpy(level).repeat_interleave(3)[:, None].expand(-1, 128), 300)[:, 0]
    for frame in (0, 7, 150, 299):  # 15 frames to either side
        expected = level[max(0, frame - 15) : frame + 16].mean()
        assert heard[frame].item() == pytest.approx(expected, abs=1e-6)
    assert loudness(torch.full((1, 128), 0.6), 1).item() == pytest.approx(0.2)  # a third of the frame sounds


def test_a_score_says_which_beat_of_which_bar_it_is(beat_folder) -> None:
    opens = [0, 0, 1, 0, 0, 1, 0, 1, 0, 0]  # two beats of a bar of three, a bar of three, one of two, a begun one
    written = np.stack([np.arange(10) * 0.5, opens], 1).astype(np.float32)
    found = as_written(written)
    assert found.position.tolist() == [2, 3, 1, 2, 3, 1, 2, 1, 2, 1]
    assert found.metre.tolist() == [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    assert as_written(written * [1, 0]).metre.tolist() == [1] * 10
    mel = np.random.default_rng(0).random((900, 128)).astype(np.float32)
    ears = MusicBeats(str(beat_folder))
    told = ears([Audio(10.0, features={"mel": mel, "written_beats": written})]).tokens
    clock = clock_features(found, 300)
    torch.testing.assert_close(told[0, :, : clock.shape[1]], clock)
    own = ears([Audio(10.0, features={"mel": mel})]).tokens
    torch.testing.assert_close(told[..., clock.shape[1] :], own[..., clock.shape[1] :])
    assert (told - own).abs().max() > 0.5


def test_silence_has_no_clock_and_a_clip_of_a_frame_is_heard(beat_folder) -> None:
    ears = MusicBeats(str(beat_folder))
    groups = ears.groups()
    silent = ears([Audio(10.0, features={"mel": np.zeros((900, 128), np.float32)})])
    assert silent.tokens.shape == (1, 300, 80)
    assert (silent.tokens == 0).all()
    short = ears([Audio(1 / 90, features={"mel": np.full((1, 128), 0.5, np.float32)})])
    assert short.tokens.shape == (1, 1, 80)
    assert (short.tokens[..., : groups["heard"].start] == 0).all()
    assert list(groups.values())[-1].stop == ears.dim == 80
    assert MusicBeats(str(beat_folder), tempogram=False).dim == groups["onset"].start


def test_bad_input_is_an_error(beat_folder, sync_folder) -> None:
    with pytest.raises(WeightsError, match="without tensors"):
        MusicBeats(str(sync_folder))
    with pytest.raises(DataError, match="NaN"):
        MusicBeats(str(beat_folder))([Audio(1.0, features={"mel": np.full((90, 128), np.nan, np.float32)})])
