"""``motion generate speech_to_gesture`` as it ships, and what it says to input that is none."""

import numpy as np
import pytest
import soundfile

from motion_platform.data.sources.sample import sample_root
from motion_platform.motion import io

SENTENCE = sample_root() / "speech" / "LJ001-0004.ogg"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Name -> a recording that is not what the planner wishes for."""
    folder, random = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    samples, rate = soundfile.read(SENTENCE, dtype="float32")
    made = {
        "silence": (np.zeros(3 * rate, np.float32), rate),
        "word": (samples[: rate // 2], rate),
        "noise": (0.1 * random.normal(size=2 * rate).astype(np.float32), rate),
        "telephone": (samples[::2], rate // 2),
        "studio": (np.repeat(np.stack([samples, samples], 1), 6, axis=0), 6 * rate),
    }
    for name, (values, hertz) in made.items():
        soundfile.write(folder / f"{name}.wav", values, hertz)
    return folder


def test_the_command_of_the_first_page_makes_a_body_with_fingers_and_sound(motion, tmp_path):
    out = tmp_path / "talk.npz"
    said = "produced the block books"
    code, _, err = motion(
        "generate", "speech_to_gesture", "--speech", str(SENTENCE), "--emotion", "happy:0.7,angry:0.3",
        "--transcript", said, "-o", str(out), "-o", str(tmp_path / "talk.bvh"),
    )  # fmt: skip
    assert code == 0, err
    clip = io.load(out)
    assert len(clip.skeleton) == 52
    assert " ".join(text for text, _, _ in clip.words) == said, "with their times, which the player shows"
    assert 0 <= clip.words[0][1] < clip.words[3][1] < clip.words[3][2] <= clip.seconds + 1 / clip.fps
    assert clip.seconds == pytest.approx(2.25, abs=0.06)
    assert len(io.load(tmp_path / "talk.bvh").skeleton) == 52


@pytest.mark.parametrize("name", ["silence", "word", "noise", "telephone", "studio"])
def test_any_sound_gives_a_body_that_stands(motion, sounds, tmp_path, name):
    out = tmp_path / "out.npz"
    code, _, err = motion("generate", "speech_to_gesture", "--speech", str(sounds / f"{name}.wav"), "-o", str(out))
    assert code == 0, err
    clip = io.load(out)
    feet = [clip.skeleton.index(f"{side}_foot") for side in ("left", "right")]
    assert np.ptp(clip.joints[:, feet], axis=0).max() < 1e-3
    if name == "silence":
        head = np.ptp(clip.joints[:, clip.skeleton.index("head")], axis=0).max()
        assert 0.001 < head < 0.02  # it breathes
        assert np.ptp(clip.joints, axis=0).max() < 0.04  # and does nothing else


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--emotion", "hapy"), "did you mean 'happy'"),
        (("--emotion", "happy:0,sad:0"), "do not sum to 0"),
        (("--emotion", "happy:x"), "happy:0.7"),
        (("--transcript", " ".join(["word"] * 60)), "of another recording"),
        (("--stroke", "soon"), "seconds with commas"),
        (("--stroke", "99"), "lasts 2.2"),
    ],
)
def test_wrong_wishes_are_one_line(motion, tmp_path, words, message):
    out = tmp_path / "out.npz"
    code, _, err = motion("generate", "speech_to_gesture", "--speech", str(SENTENCE), *words, "-o", str(out))
    assert code == 2 or code == 1
    assert message in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_without_speech_it_says_what_is_missing(motion, tmp_path):
    code, _, err = motion("generate", "speech_to_gesture", "-o", str(tmp_path / "out.npz"))
    assert code == 2
    assert "--speech FILE" in err
