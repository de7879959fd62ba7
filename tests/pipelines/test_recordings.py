"""From a recording to a film: a stub that moves its hand as loud as the music is, and what may be wrong with a file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from motion_platform import __version__
from motion_platform.audio import listening
from motion_platform.core.config import ModelFile, ModelRecipe, SlotRecipe
from motion_platform.core.contracts import Encoder, Generator
from motion_platform.core.errors import DataError, MotionPlatformError, UnknownName, UsageError
from motion_platform.core.schema import Audio, Condition, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.tasks import Task
from motion_platform.encoders.label import LabelEncoder
from motion_platform.generators.conducting.rest import at_rest
from motion_platform.model.conditioning import Conditioning
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import Run
from motion_platform.pipelines import events, generate, texts

RATE = 22_050
EVENTS_OF = events.events_of


def conduct(run, music, styles=(), *, seconds=None, **more):
    """Clips for each recording, of so many seconds, by the one way from inputs to motion."""
    given, count = generate.inputs_of(run, music=music, styles=styles)
    return generate.make(run, given, count=count, seconds=[] if seconds is None else [seconds], **more)


# x and y of the 13 keypoints, in hundredths of the frame
POSE = [50, 28, 51, 27, 49, 27, 54, 28, 46, 28, 60, 45, 40, 45, 66, 60, 34, 60, 62, 62, 38, 62, 55, 75, 45, 75]


class Loudness(Encoder):
    """One number every 1/30 s: the largest sample."""

    reads, dim, rate_hz = "audio", 1, 30.0

    def forward(self, raw: list[Audio]) -> Condition:
        rows = [torch.from_numpy(listening.sounding(audio, round(audio.seconds * 30), 30.0))[:, None] for audio in raw]
        return Condition(torch.stack(rows), torch.ones(len(rows), len(rows[0]), dtype=torch.bool), 30.0)

    def fingerprint(self) -> str:
        return "loudness"


class Waver(Generator):
    """Waves both hands on a circle, wider with amplitude, another phase a sample."""

    width = 4

    def __init__(self, spec: MotionSpec, slots: tuple[str, ...]) -> None:
        super().__init__()
        self.spec, self.slots = spec, slots
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls: list[tuple[int, int]] = []

    def loss(self, batch: object, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        raise NotImplementedError

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling,
        edit: object = None,
    ) -> Motion:
        frames = int(lengths.max())
        self.calls.append((len(lengths), frames))
        x = self.spec.mean.repeat(len(lengths), frames, 1)
        phase = noise.normal((1,), name="phase")[:, 0]
        turn = torch.arange(frames) / 30 * 2 * torch.pi + phase[:, None]
        for column, wave in ((18, turn.cos()), (19, turn.sin()), (20, -turn.cos()), (21, turn.sin())):
            x[..., column] += 0.05 * sampling.amplitude * wave
        if "style" in given:
            x[..., 0] += given["style"].mask[:, 1:].any(1)[:, None] * 0.01
        if sampling.progress is not None:
            sampling.progress(1, 1)
        return Motion(x, lengths, self.spec)

    def finished(self, motion: Motion, raw: Mapping[str, list]) -> Motion:
        return at_rest(motion, raw)


def conductor(slots: tuple[str, ...] = ("music", "style")) -> Run:
    place = np.array(POSE, np.float32)
    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.from_numpy(place / 100), torch.full((26,), 0.05))
    encoders = {"music": Loudness(), "style": LabelEncoder(["calm", "wild"], 4)}
    card = ModelFile(
        format=1,
        name="waver",
        task="music_to_conductor",
        motion_platform=__version__,
        model=ModelRecipe(kind="generators", name="mdm"),
        slots={slot: SlotRecipe(encoder="label") for slot in slots},
        spec=spec.to_dict(),
    )
    task = Task(
        task="music_to_conductor",
        title="t",
        source="s",
        reads={"music": "audio", "style": "label"},
        optional=["style"],
        writes="motion",
        data="sample",
    )
    conditioning = Conditioning({slot: encoders[slot] for slot in slots}, 4, dict.fromkeys(slots, 0.0))
    return Run(MotionModel(conditioning, Waver(spec, slots), card).eval(), task, 0)


@pytest.fixture
def run() -> Run:
    return conductor()


@pytest.fixture(autouse=True)
def no_tracker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """librosa compiles its tracker for seconds: one test uses it."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(generate, "events_of", lambda run, audio: {"beats": np.arange(0, audio.seconds, 0.5)})


def clicks(seconds: float, rate: int = RATE, gap: float = 0.5) -> np.ndarray:
    """(n,) a short tone every ``gap`` seconds from 0 on."""
    t = np.arange(round(seconds * rate)) / rate
    since = t % gap
    return (0.6 * np.sin(2 * np.pi * 700 * since) * np.exp(-30 * since)).astype(np.float32)


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """recording(samples, rate, name): a sound file."""

    def write(samples: np.ndarray, rate: int = RATE, name: str = "piece.wav") -> Path:
        soundfile.write(tmp_path / name, samples, rate)
        return tmp_path / name

    return write


@pytest.mark.slow
def test_a_clip_lasts_as_long_as_its_recording_and_carries_it(run: Run, recording: Callable[..., Path]) -> None:
    path = recording(clicks(8.02, 44_100), 44_100)
    told = []
    clips = conduct(run, [path], ["calm"], samples=2, progress=lambda *what: told.append(what))
    assert [len(clip) for clip in clips] == [240, 240]
    assert [clip.audio for clip in clips] == [path, path]
    assert [clip.name for clip in clips] == ["piece_001", "piece_002"]
    assert clips[0].captions == ("piece (calm)",)
    assert clips[0].info == {
        "model": "waver", "seed": 0, "licence": "unknown", "sample": 0, "music": "piece.wav", "style": "calm",
    }  # fmt: skip
    assert np.abs(clips[0].joints - clips[1].joints).max() > 0.01
    assert told == [("piece.wav", 1, 1)]
    beats = clips[0].events["beats"]
    off = np.abs(beats[:, None] - np.arange(0, 8.1, 0.5)).min(1)
    assert len(beats) >= 12
    assert np.median(off) < 0.04
    again = conduct(run, [path], ["calm"], samples=1)[0]
    assert np.array_equal(again.joints, clips[0].joints)  # not a matter of what else is made


def test_music_may_be_cut_and_gestures_sized(run: Run, recording: Callable[..., Path]) -> None:
    path = recording(clicks(4))
    usual = conduct(run, [path], seconds=2)[0]
    assert len(usual) == 60
    large = conduct(run, [path], seconds=2, sampling=Sampling(amplitude=2.0))[0]
    wrist = usual.skeleton.index("right_wrist")
    assert np.allclose(np.ptp(large.joints[:, wrist], 0), 2 * np.ptp(usual.joints[:, wrist], 0), atol=1e-5)
    with pytest.raises(UsageError, match=r"--seconds: got 0; allowed: 0\.1 to 7200"):
        conduct(run, [path], seconds=0)


def test_cut_music_is_heard_past_the_cut(
    run: Run, recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls, heard = recording(clicks(8)), run.model.trainable.calls, []
    monkeypatch.setattr(listening, "BEYOND", 3.0)
    monkeypatch.setattr(Waver, "finished", lambda self, motion, raw: heard.append(raw["music"][0].seconds) or motion)
    for seconds, listened in ((2.0, 5.0), (6.5, 8.0), (9.0, 8.0), (None, 8.0)):
        clip = conduct(run, [path], seconds=seconds)[0]
        lasting = min(seconds or 8, 8)
        assert calls[-1] == (1, 30 * lasting)
        assert heard[-1] == listened
        assert len(clip) == 30 * lasting
        assert clip.events["beats"].max() < lasting


def test_long_music_is_made_a_sample_at_a_time(
    run: Run, recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording(clicks(4))
    together = conduct(run, [path], samples=3)
    monkeypatch.setattr(generate, "FRAMES_AT_ONCE", 250)
    monkeypatch.setattr(listening, "STREAMED", 1.0)
    calls = run.model.trainable.calls
    calls.clear()
    parts = conduct(run, [path], samples=3)
    assert calls == [(2, 120), (1, 120)]
    for one, other in zip(together, parts, strict=True):
        assert np.array_equal(one.joints, other.joints)
        assert np.array_equal(one.events["beats"], other.events["beats"])
    monkeypatch.setattr(listening, "LONGEST", 1.8)
    with pytest.raises(UsageError, match=r"is longer than 0\.0005 hours; cut it, or give --seconds"):
        listening.listen(path)


def test_silence_is_a_conductor_at_rest(run: Run, recording: Callable[..., Path]) -> None:
    clip = conduct(run, [recording(np.zeros(5 * RATE, np.float32))])[0]
    assert np.ptp(clip.joints, axis=0).max() < 1e-6
    assert len(EVENTS_OF(run, Audio(5.0, np.zeros(5 * RATE, np.float32), RATE))["beats"]) == 0
    sound = clicks(12)
    sound[4 * RATE : 9 * RATE] = 0
    clip = conduct(run, [recording(sound)])[0]
    step = np.abs(np.diff(clip.joints[:, clip.skeleton.index("right_wrist")], axis=0)).max(1)
    assert step[160:230].max() < 1e-6  # in the middle of the pause
    assert step[:110].min() > 1e-3
    assert step[-60:].min() > 1e-3
    assert np.abs(np.diff(step)).max() < 0.006  # without a jerk at either end


def test_a_rest_between_notes_is_no_pause() -> None:
    sound = clicks(6)
    sound[2 * RATE : int(2.7 * RATE)] = 0
    assert (listening.sounding(Audio(6.0, sound, RATE), 180, 30.0) == 1).all()


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (clicks(1), RATE),
        (np.random.default_rng(0).normal(size=3 * RATE).astype(np.float32) * 0.2, RATE),
        (np.repeat(clicks(3, 48_000)[:, None], 6, 1), 48_000),
        (clicks(3, 8_000), 8_000),
        (clicks(3, 192_000), 192_000),
    ],
    ids=["one second", "noise", "5.1", "8 kHz", "192 kHz"],
)
def test_odd_recordings_are_conducted_and_can_be_seen_and_heard(
    run: Run, recording: Callable[..., Path], samples: np.ndarray, rate: int, tmp_path: Path
) -> None:
    from motion_platform.motion.render import sound

    path = recording(samples, rate)
    clip = conduct(run, [path])[0]
    assert len(clip) == round(30 * len(samples) / rate)
    assert np.isfinite(clip.joints).all()
    assert len(sound.mp3(path, clip.seconds)) > 5000
    assert sound.peaks(path, clip.seconds).max() == 255


@pytest.mark.parametrize("name", ["piece.wav", "piece.mp3"])
def test_a_truncated_recording_is_conducted_as_far_as_it_goes(
    run: Run, recording: Callable[..., Path], name: str
) -> None:
    path = recording(clicks(6), name=name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    clip = conduct(run, [path])[0]
    assert 60 < len(clip) <= 180
    assert np.isfinite(clip.joints).all()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.wav"),
        (bytes(range(256)) * 40, "garbage.mp3"),
        (b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0", "score.wav"),
        (b"<html>not found</html>", "page.ogg"),
        (b"#EXTM3U\nhttp://localhost/a.mp3\n", "list.mp3"),
    ],
)
def test_what_is_no_recording_is_one_line(run: Run, tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MotionPlatformError) as caught:
        conduct(run, [tmp_path / name])
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError):
        conduct(run, [tmp_path / "nowhere.wav"])


def test_a_recording_fills_every_slot_that_listens(run: Run) -> None:
    run.task = run.task.model_copy(update={"reads": {"style": "label", "music": "audio", "rhythm": "audio"}})
    assert texts.sound_slots(run, True, False) == (["music"], None)
    run.model.card = run.model.card.model_copy(update={"slots": {s: None for s in ("music", "rhythm", "style")}})
    assert texts.sound_slots(run, True, True) == (["music", "rhythm"], "style")


def test_slots_that_are_not_there_are_named(recording: Callable[..., Path]) -> None:
    path = recording(clicks(1))
    with pytest.raises(UnknownName, match=r"--style: unknown style 'cal'; did you mean 'calm'\?"):
        conduct(conductor(), [path], ["cal"])
    with pytest.raises(UsageError, match="--style: model waver was trained without the slot 'style'"):
        conduct(conductor(("music",)), [path], ["calm"])
    with pytest.raises(UsageError, match="--style: got 2 values for 1 recordings"):
        conduct(conductor(), [path], ["calm", "wild"])
    run = conductor()
    run.task = run.task.model_copy(update={"reads": {"text": "text"}})
    with pytest.raises(UsageError, match="--music: task music_to_conductor has no slot that reads audio"):
        conduct(run, [path])


def test_the_command_writes_every_format(
    run: Run, recording: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    import sys

    from motion_platform.cli import app as cli
    from motion_platform.motion import io

    monkeypatch.setattr(generate, "load", lambda *_: run)
    path = recording(clicks(1))
    outputs = [tmp_path / f"out{end}" for end in (".mp4", ".html", ".bvh", ".glb", ".npz", ".png")]
    wanted = [word for output in outputs for word in ("-o", str(output))]
    monkeypatch.setattr(
        sys, "argv", ["motion", "generate", "music_to_conductor", "--music", str(path), "--style", "calm", *wanted]
    )
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 0, capsys.readouterr().err
    assert all(output.stat().st_size > 1000 for output in outputs)
    about = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(outputs[0])], capture_output=True, text=True, check=False
    ).stderr
    assert "Audio: aac" in about
    assert "1440x780" in about  # both views side by side, and the strip under them
    assert io.load(outputs[2]).skeleton.joints[0] == "pelvis"
    assert io.load(outputs[4]).skeleton.name == "coco_upper"
    assert '"audio":{"src":"data:audio/mpeg;base64,' in outputs[1].read_text(encoding="utf-8")
