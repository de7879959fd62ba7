"""Sound in films and pages: in time to a few milliseconds, whatever it was recorded as."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from motion_platform.core.errors import DataError
from motion_platform.core.media import FORMATS
from motion_platform.core.schema import Audio
from motion_platform.motion.clip import Clip
from motion_platform.motion.render import html, sound, video
from motion_platform.motion.render.traces import traced

RATE = 44_100
CLICKS = np.array([0.0, 0.31, 0.7, 1.2, 1.55])


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """recording(seconds, rate, channels, name): short tones at CLICKS."""

    def write(seconds: float = 2.0, rate: int = RATE, channels: int = 2, name: str = "clicks.wav") -> Path:
        clock = np.arange(round(seconds * rate)) / rate
        wave = sum(
            0.5 * (clock >= t) * np.sin(2 * np.pi * 900 * (clock - t)) * np.exp(-60 * np.maximum(clock - t, 0))
            for t in CLICKS
        )
        soundfile.write(tmp_path / name, np.repeat(wave[:, None], channels, 1), rate)
        return tmp_path / name

    return write


def heard(path: Path) -> np.ndarray:
    """Mono samples of any file at RATE."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-ac", "1", "-ar", str(RATE)]
    return np.frombuffer(subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=True).stdout, "f4")


def lag(one: np.ndarray, other: np.ndarray) -> float:
    """Seconds by which ``one`` comes later."""
    size = 1 << 18
    alike = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)))
    best = int(alike.argmax())
    return (best - size if best > size // 2 else best) / RATE


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (8_000, 1), (192_000, 6)])
def test_a_film_sounds_in_time(
    recording: Callable[..., Path], walking: Callable[..., Clip], tmp_path: Path, rate: int, channels: int
) -> None:
    path = recording(3.0, rate, channels)
    clip = walking(30, audio=path)  # 1.5 s: the film ends before the sound
    assert video.write(clip, tmp_path / "a.mp4", size=64) == [tmp_path / "a.mp4"]
    found = heard(tmp_path / "a.mp4")
    assert len(found) / RATE == pytest.approx(1.5, abs=0.06)
    assert abs(lag(found, heard(path)[: len(found)])) < 0.003


def test_the_sound_of_a_page_starts_at_once(recording: Callable[..., Path], tmp_path: Path) -> None:
    path = recording()
    (tmp_path / "a.mp3").write_bytes(sound.mp3(path, 2.0))
    found = heard(tmp_path / "a.mp3")
    assert len(found) / RATE == pytest.approx(2.0, abs=0.01)
    assert abs(lag(found, heard(path))) < 0.001


def test_the_waveform_rises_where_it_sounds(recording: Callable[..., Path]) -> None:
    level = sound.peaks(recording(), 3.0).astype(int)
    assert len(level) == 300
    assert level.max() == 255
    assert (level[200:] == 0).all()  # the recording is over
    for click in CLICKS:
        at = round(click * 100)
        assert level[at : at + 2].max() > 150
    assert level[25:30].max() < 40
    assert (sound.peaks(Audio(1.0, np.zeros(8000, np.float32), 8000), 1.0) == 0).all()


def test_samples_in_memory_sound_too(walking: Callable[..., Clip], recording: Callable[..., Path]) -> None:
    samples, _ = soundfile.read(recording(channels=1), dtype="float32")
    audio = Audio(2.0, samples, RATE)
    page = html.page_data([walking(40, audio=audio, events={"beats": CLICKS, "bars": CLICKS[[0, 3]]})])
    assert page["audio"]["beats"] == CLICKS.tolist()
    assert page["audio"]["bars"] == [0.0, 1.2]
    assert page["audio"]["seconds"] == 2.0
    with pytest.raises(DataError, match="known by its features alone"):
        html.page_data([walking(2, audio=replace(audio, samples=None))])


def test_every_recording_gets_a_file_of_its_own(
    walking: Callable[..., Clip], recording: Callable[..., Path], tmp_path: Path
) -> None:
    one, other = recording(name="one.wav"), recording(name="other.wav")
    clips = [walking(3, audio=one), walking(3, audio=other), walking(4, audio=one)]
    assert html.write(clips, tmp_path / "a.html") == [tmp_path / "a_1.html", tmp_path / "a_2.html"]
    assert [len(group) for group in sound.by_recording(clips)] == [2, 1]
    assert [len(group) for group in sound.by_recording([walking(3), clips[0]])] == [2]


def test_sound_that_is_gone_or_garbage_leaves_nothing(walking: Callable[..., Clip], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(DataError, match=r"gone\.wav: no such file"):
        video.write(walking(3, audio=tmp_path / "gone.wav"), folder / "a.mp4", size=64)
    (tmp_path / "bad.mp3").write_bytes(b"<html>" * 50)
    with pytest.raises(DataError, match=r"bad\.mp3: its sound cannot be read"):
        html.write(walking(3, audio=tmp_path / "bad.mp3"), folder / "a.html")
    assert list(folder.iterdir()) == []


def test_ffmpeg_may_open_local_files_alone(
    walking: Callable[..., Clip], recording: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []

    class Noted(subprocess.Popen):
        def __init__(self, command: list[str], **options: object) -> None:
            commands.append([str(word) for word in command])
            super().__init__(command, **options)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    clip = walking(3, audio=recording())
    html.write(clip, tmp_path / "a.html")
    video.write(clip, tmp_path / "a.mp4", size=64)
    heard = [command for command in commands if any(str(clip.audio) in word for word in command)]
    assert len(heard) >= 2
    for command in heard:
        given = command.index(f"file:{clip.audio}")
        assert command[given - 5 : given] == ["-format_whitelist", FORMATS, "-protocol_whitelist", "file", "-i"]
        assert not {"hls", "concat", "image2", "dash"} & set(FORMATS.split(","))


def test_events_must_be_in_order(walking: Callable[..., Clip]) -> None:
    with pytest.raises(DataError, match="times of beats must be finite"):
        walking(3, events={"beats": np.array([1.0, 0.5])})


def test_hands_leave_a_trace(walking: Callable[..., Clip]) -> None:
    clip = walking(30)
    joints = clip.joints.copy()
    joints[:, 21, 1] += 0.5 * np.sin(np.arange(30) / 4)  # the right wrist goes up and down
    clip = clip.with_(joints=joints)
    drawn = clip.with_(skeleton=replace(clip.skeleton, parts={**clip.skeleton.parts, "traced": ("right_wrist",)}))
    assert traced(clip) == []
    assert traced(drawn) == [21]
    plain, seen = ([f.copy() for f in video.frames([c], 120)] for c in (clip, drawn))
    changed = [(a != b).any(-1).sum() for a, b in zip(plain, seen, strict=True)]
    assert changed[0] == 0
    assert changed[-1] > 60
    warmth = [pictures[-1][..., 0].astype(int) - pictures[-1][..., 2] for pictures in (plain, seen)]
    assert (warmth[1] - warmth[0])[(plain[-1] != seen[-1]).any(-1)].mean() > 15  # orange: right
