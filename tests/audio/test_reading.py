"""Recordings of all sorts, against the samples they were written from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from motion_platform.audio import reading
from motion_platform.core.errors import DataError, UsageError


def tone(rate: int, seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    """(n, channels): a tone of 440 Hz, louder from channel to channel."""
    t = np.arange(int(rate * seconds)) / rate
    return np.stack([0.1 * (c + 1) * np.sin(2 * np.pi * 440 * t) for c in range(channels)], 1).astype(np.float32)


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_16"), ("ogg", None), ("mp3", None)])
@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (44_100, 2)])
def test_formats_and_channels(tmp_path: Path, suffix: str, subtype: str | None, rate: int, channels: int) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(rate, 1.0, channels), rate, subtype=subtype)
    audio = reading.load(path)
    assert audio.rate == 22_050
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 1
    assert audio.seconds == pytest.approx(1.0, abs=0.06)  # mp3 pads
    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert np.fft.rfftfreq(len(audio.samples), 1 / 22_050)[spectrum.argmax()] == pytest.approx(440, abs=2)
    mean = 0.1 * (channels + 1) / 2  # averaged, not added
    assert np.abs(audio.samples[5000:15000]).max() == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (48_000, 6), (192_000, 2)])
def test_any_rate_as_soxr_does_it_at_once(tmp_path: Path, rate: int, channels: int) -> None:
    import soxr

    path = tmp_path / "tone.wav"
    samples = tone(rate, 1.3, channels)
    soundfile.write(path, samples, rate, subtype="FLOAT")
    expected = soxr.resample(samples.mean(1), rate, 22_050)
    for seconds in (10.0, 0.11):
        made = np.concatenate(list(reading.blocks(path, seconds)))
        assert abs(len(made) - len(expected)) <= 1
        n = min(len(made), len(expected))
        assert np.abs(made[:n] - expected[:n]).max() < 1e-6


def test_what_libsndfile_does_not_know_goes_through_ffmpeg(tmp_path: Path) -> None:
    import imageio_ffmpeg

    soundfile.write(tmp_path / "tone.wav", tone(44_100, 2.0, 2), 44_100)
    path = tmp_path / "called.wav"  # a mislabelled file: m4a inside
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(tmp_path / "tone.wav"), "-f", "mp4", str(path)]
    subprocess.run(command, check=True)
    audio = reading.load(path)
    assert audio.seconds == pytest.approx(2.0, abs=0.1)
    assert np.abs(audio.samples[10_000:30_000]).max() == pytest.approx(0.15, rel=0.1)


def test_the_decoder_may_open_local_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A playlist under a recording's name must not make ffmpeg fetch an address; whatever it is, it gets one file."""
    commands = []

    class Noted(subprocess.Popen):
        def __init__(self, command: list[str], **options: object) -> None:
            commands.append(command)
            super().__init__(command, **options)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    (tmp_path / "list.wav").write_bytes(b"#EXTM3U\n#\x01\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError):
        reading.load(tmp_path / "list.wav")
    opened = [command for command in commands if "-i" in command]  # others ask for the version
    for command in opened:
        allowed, given = command.index("-protocol_whitelist"), command.index("-i")
        assert allowed < given
        assert set(command[allowed + 1].split(",")) <= {"file", "pipe"}
        formats = command.index("-format_whitelist")
        assert formats < given
        assert not {"hls", "concat", "image2", "dash"} & set(command[formats + 1].split(","))
        assert command[given + 1] == f"file:{tmp_path / 'list.wav'}"
    assert opened


def test_a_file_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.wav", tmp_path / "cut.wav"
    soundfile.write(whole, tone(22_050, 4.0), 22_050)
    cut.write_bytes(whole.read_bytes()[: 44 + 2 * 22_050])
    assert reading.load(cut).seconds == pytest.approx(1.0, abs=0.01)


def test_a_damaged_file_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(22_050 * 4).astype(np.float32)
    soundfile.write(tmp_path / "whole.flac", noise, 22_050)
    data = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    with caplog.at_level("WARNING"):
        audio = reading.load(tmp_path / "cut.flac")
    assert 1.5 < audio.seconds < 2.1
    assert np.abs(audio.samples[:20_000] - noise[:20_000]).max() < 1e-4
    assert "cut.flac: is damaged" in caplog.text


def test_errors_are_one_line(tmp_path: Path) -> None:
    def says(name: str, content: bytes | None) -> str:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            reading.load(path)
        line = str(caught.value)
        assert "\n" not in line
        assert line.startswith(str(path))
        return line

    noise = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    assert "is not a recording" in says("garbage.wav", noise)
    assert "is not a recording" in says("drm.m4a", noise)
    assert "is text, not a recording" in says("words.mp3", "Größe\n".encode() * 2000)
    assert "is text, not a recording" in says("cut_in_two.mp3", b"a" * 4095 + "ö".encode())
    assert "is empty" in says("empty.mp3", b"")
    assert "did you mean 'garbage.wav'" in says("garbag.wav", None)
    assert "is a score (MIDI)" in says("score.mid", b"MThd" + bytes(60))
    (tmp_path / "folder.wav").mkdir()
    assert "is a folder" in says("folder.wav", None)
    soundfile.write(tmp_path / "short.wav", tone(22_050, 0.05), 22_050)
    assert "at least 0.1 s" in says("short.wav", None)
    soundfile.write(tmp_path / "nothing.wav", np.zeros((0, 1), np.float32), 22_050)
    assert "holds no sound" in says("nothing.wav", None)
    broken = tone(22_050, 1.0)
    broken[11_025] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 22_050, subtype="FLOAT")
    assert "0.500 s is not a finite number" in says("nan.wav", None)


def test_text_with_a_decoder_s_name_is_told_by_us_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "words.mp3").write_text("no sound here\n" * 100)
    with pytest.raises(DataError, match="is text"):
        reading.load(tmp_path / "words.mp3")
    assert capfd.readouterr() == ("", "")


def test_blocks_are_lazy_and_small(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(44_100, 5.0), 44_100)
    sizes = [len(block) for block in reading.blocks(path, 0.5)]
    assert max(sizes) <= 0.6 * 22_050
    assert sum(sizes) == 5 * 22_050
    with pytest.raises(UsageError, match="lasts more than 0"):
        next(reading.blocks(path, 0))


def test_a_list_of_other_files_is_never_followed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "secret.wav", np.zeros(reading.RATE, np.float32), reading.RATE)
    (tmp_path / "list.wav").write_bytes(b"ffconcat version 1.0\n# \x01\nfile secret.wav\n")
    with pytest.raises(DataError, match="is not a recording that can be read"):
        reading.load(tmp_path / "list.wav")


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    (tmp_path / "piece.mp3").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(DataError, match="is a Git LFS pointer, not the file"):
        reading.load(tmp_path / "piece.mp3")
