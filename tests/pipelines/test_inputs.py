"""A card that reads a sentence, a recording, a label and a motion at once: one road for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from motion_platform.cli.common import slot_options
from motion_platform.core.config import ModelFile, ModelRecipe, SlotRecipe
from motion_platform.core.contracts import Encoder, Generator
from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.core.schema import Audio, Condition, Mixture, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.tasks import Task
from motion_platform.encoders.label import LabelEncoder
from motion_platform.model.conditioning import Conditioning
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import Run
from motion_platform.motion import io
from motion_platform.pipelines import generate
from motion_platform.pipelines.inputs import read_row
from motion_platform.pipelines.pipeline import Pipeline
from motion_platform.pipelines.texts import label_of

KINDS = {"words": "text", "speech": "audio", "mood": "label", "start": "motion"}
WALK = "dataset-1_walk_normal_001.bvh"


class Letters(Encoder):
    reads, dim = "text", 1

    def forward(self, raw: Sequence[str | None]) -> Condition:
        return Condition(torch.tensor([[[float(len(t or ""))]] for t in raw]), torch.tensor([[bool(t)] for t in raw]))

    def fingerprint(self) -> str:
        return "letters"


class Seconds(Encoder):
    reads, dim, rate_hz = "audio", 1, 20.0

    def forward(self, raw: Sequence[Audio]) -> Condition:
        tokens = torch.tensor([[[audio.seconds]] for audio in raw], dtype=torch.float32)
        return Condition(tokens, torch.ones(len(raw), 1, dtype=torch.bool), 20.0)

    def fingerprint(self) -> str:
        return "seconds"


class FirstPose(Encoder):
    """An encoder that reads motion: the mean of its features."""

    reads, dim = "motion", 67

    def forward(self, raw: Sequence[Tensor]) -> Condition:
        return Condition(torch.stack([x.mean(0) for x in raw])[:, None], torch.ones(len(raw), 1, dtype=torch.bool))

    def fingerprint(self) -> str:
        return "first pose"


class Remembers(Generator):
    """A still body; what it was told is kept."""

    width = 4

    def __init__(self, spec: MotionSpec, slots: tuple[str, ...]) -> None:
        super().__init__()
        self.spec, self.slots, self.weight = spec, slots, nn.Parameter(torch.zeros(1))
        self.told: list[tuple[Mapping[str, Condition], list[str], list[int]]] = []

    def loss(self, batch: object, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        raise NotImplementedError

    def generate(self, given, lengths, *, noise: NoiseSource, sampling: Sampling, edit=None) -> Motion:
        self.told.append((given, noise.ids, lengths.tolist()))
        return Motion(self.spec.mean.repeat(len(lengths), int(lengths.max()), 1), lengths, self.spec)


@pytest.fixture
def run(sample_dataset) -> Run:
    spec = sample_dataset.spec("humanml3d_essential")
    encoders = {
        "words": Letters(),
        "speech": Seconds(),
        "mood": LabelEncoder(["calm", "angry"], 4),
        "start": FirstPose(),
    }
    slots = tuple(KINDS)
    card = ModelFile(
        format=1,
        name="remembers",
        task="everything",
        motion_platform="0",
        model=ModelRecipe(kind="generators", name="mdm"),
        slots={slot: SlotRecipe(encoder="label") for slot in slots},
        spec=spec.to_dict(),
        data={"language": "en"},
    )
    task = Task(
        task="everything", title="t", source="s", reads=KINDS, optional=["start"], writes="motion", data="sample"
    )
    conditioning = Conditioning(encoders, 4, dict.fromkeys(slots, 0.0))
    return Run(MotionModel(conditioning, Remembers(spec, slots), card).eval(), task, 0)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 2 * 16000), 16000)
    return path


@pytest.fixture(autouse=True)
def no_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "events_of", lambda run, audio: {"beats": np.array([0.5, 1.0])})


def test_every_kind_of_slot_reaches_its_encoder(run: Run, talk: Path, sample_root: Path) -> None:
    walk = io.load(sample_root / "bandai-namco" / WALK)
    given = {"words": ["a person nods"], "speech": [talk], "mood": ["angry"], "start": [walk]}
    (clip,) = generate.make(run, given)
    told, ids, lengths = run.model.trainable.told[-1]
    assert set(told) == set(KINDS)
    assert told["words"].encoded[0, 0, 0] == len("a person nods")
    assert told["speech"].encoded[0, 0, 0] == pytest.approx(2.0)
    assert told["start"].encoded.shape[-1] == 67
    assert ids == ["a person nods||talk.wav|angry|0"]
    assert lengths == [40]  # as long as the recording
    assert clip.audio == talk
    assert clip.captions == ("a person nods", "talk (angry)")
    assert clip.info["mood"] == "angry"
    assert clip.events["beats"].tolist() == [0.5, 1.0]


def test_the_pipeline_and_the_short_names_say_the_same(run: Run, talk: Path) -> None:
    pipeline = Pipeline(run)
    pipeline("a person nods", music=talk, style="calm", seed=3)
    pipeline(give={"words": "a person nods", "speech": talk, "mood": "calm"}, seed=3)
    (_, first, _), (_, second, _) = run.model.trainable.told[-2:]
    assert first == second == ["a person nods||talk.wav|calm|0"]
    assert "reads words: text" in repr(pipeline)


def test_one_value_serves_all_rows_and_samples(run: Run, talk: Path) -> None:
    clips = Pipeline(run)(["nods", "shakes"], give={"speech": talk, "mood": "calm"}, samples=2, seconds=1)
    assert len(clips) == 4
    assert [ids[0].split("|")[0] for _, ids, _ in run.model.trainable.told] == ["nods", "shakes"]
    assert {len(clip) for clip in clips} == {20}


def test_what_cannot_be_given_is_one_line(run: Run, talk: Path, tmp_path: Path) -> None:
    whole = {"words": ["a"], "speech": [talk], "mood": ["calm"]}
    for changes, kind, message in (
        ({"wrods": ["a"]}, UsageError, "slot 'wrods': task everything has none of that name; did you mean 'words'"),
        ({"mood": ["clam"]}, UnknownName, "did you mean 'calm'"),
        ({"speech": [tmp_path / "no.wav"]}, DataError, "no.wav"),
        ({"start": [tmp_path / "no.bvh"]}, DataError, "no.bvh"),
        ({"words": ["a", "b", "c"], "mood": ["calm", "calm"]}, UsageError, "got 2 values for 3 motions"),
    ):
        with pytest.raises(kind, match=message.replace("(", r"\(")):
            generate.make(run, {**whole, **changes})
    with pytest.raises(UsageError, match="needs slot 'mood'"):
        generate.make(run, {"words": ["a"], "speech": [talk]})
    with pytest.raises(UsageError, match="slot 'words' is filled by another option already"):
        Pipeline(run)("a", give={"words": "b"})


def test_the_command_gives_any_slot(run: Run, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from motion_platform.cli.app import app

    monkeypatch.setattr(generate, "load", lambda *_: run)
    words = ["--give", "words=a person nods", "--give", f"speech={talk}", "--give", "mood=calm"]
    done = CliRunner().invoke(app, ["generate", "everything", *words, "-o", str(tmp_path / "out.npz")])
    assert done.exit_code == 0, done.output
    assert io.load(tmp_path / "out.npz").captions[0] == "a person nods"
    bad = CliRunner().invoke(app, ["generate", "everything", "--give", "words", "-o", str(tmp_path / "x.npz")])
    assert isinstance(bad.exception, UsageError)
    assert "write SLOT=VALUE" in str(bad.exception)
    assert not (tmp_path / "x.npz").exists()


@pytest.fixture
def spoken(run: Run) -> Run:
    """The same model under a card that calls the slots otherwise, with what is said as a slot of its own."""
    kinds = {"speech": "audio", "words": "words", "mood": "label"}
    task = run.task.model_copy(update={"reads": kinds, "optional": ["words"], "options": {"mood": "--emotion"}})
    run.model.conditioning.encoders["words"].reads = "words"
    return replace(run, task=task)


def test_what_is_said_travels_with_the_recording(spoken: Run, talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Audio] = []
    letters = spoken.model.conditioning.encoders["words"]
    monkeypatch.setattr(
        type(letters),
        "forward",
        lambda self, raw: heard.extend(raw) or Condition(torch.ones(1, 1, 1), torch.ones(1, 1) > 0),
    )
    (clip,) = generate.make(spoken, {"words": ["nod now"], "speech": [talk], "mood": ["calm"]})
    assert [word.text for word in heard[0].words] == ["nod", "now"]
    assert clip.info["speech"] == "talk.wav"
    with pytest.raises(UsageError, match="--words: needs the recording in which it is said"):
        read_row(spoken, {"words": ["nod"]}, 0, None)


def test_labels_are_mixed_with_weights(spoken: Run) -> None:
    assert label_of(spoken, "mood", "calm:3, angry") == Mixture((("calm", 0.75), ("angry", 0.25)))
    with pytest.raises(UnknownName, match=r"--emotion: unknown mood 'clam'; did you mean 'calm'"):
        label_of(spoken, "mood", "clam:0.5,angry:0.5")
    with pytest.raises(UsageError, match=r"--emotion: got .calm:much.; write calm:0\.7"):
        label_of(spoken, "mood", "calm:much")
    with pytest.raises(UsageError, match=r"--emotion: got calm:0, angry:0; allowed: weights of 0 or more"):
        label_of(spoken, "mood", "calm:0,angry:0")


def test_a_generator_that_mixes_nothing_says_so(spoken: Run, talk: Path) -> None:
    with pytest.raises(UsageError, match="remembers is a mdm: it takes one value a slot, no mixture"):
        generate.make(spoken, {"speech": [talk], "mood": ["calm:0.5,angry:0.5"]})


def test_every_slot_of_the_card_is_an_option(tmp_path: Path) -> None:
    known = ["--text", "--seconds"]

    def options(*words: str) -> dict[str, list[str]]:
        return slot_options("speech_to_gesture", words, known)

    assert options("--speech", "a.wav", "--emotion=happy") == {"speech": ["a.wav"], "emotion": ["happy"]}
    assert options() == {}
    with pytest.raises(
        UsageError, match="--emotoin: no such option for task speech_to_gesture; did you mean '--emotion'"
    ):
        options("--emotoin", "happy")
    with pytest.raises(UsageError, match=r"--secnds: no such option .* did you mean '--seconds'"):
        options("--secnds", "3")
    with pytest.raises(UsageError, match="--speech: needs a value"):
        options("--speech", "--emotion", "happy")
    with pytest.raises(UsageError, match=r"b\.wav: an argument too many"):
        options("--speech", "a.wav", "b.wav")
