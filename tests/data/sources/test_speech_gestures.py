"""Speech x gestures: splits that leak nothing, the same for a seed, streams on one clock, bad folders."""

import numpy as np
import pytest
import soundfile

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.sources.speech_gestures import SpeechGestures
from motion_platform.motion.gesturing.track import stroke_track


def utter(path, seed, seconds=3.0, rate=16_000):
    """Something like syllables: bursts of a voice of changing pitch."""
    random = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate)) / rate
    pitch = 110 + 30 * np.sin(2 * np.pi * 0.4 * at + seed)
    voice = sum(np.sin(2 * np.pi * np.cumsum(pitch) * k / rate) / k for k in range(1, 6))
    loud = np.interp(at, np.arange(0, seconds + 0.2, 0.2), random.uniform(0.02, 1, round(seconds / 0.2) + 1))
    soundfile.write(path, (0.15 * voice * loud).astype(np.float32), rate)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("speech")
    for k in range(8):
        utter(place / f"talk_{k}.wav", k)
    (place / "transcripts.csv").write_text("file,text\ntalk_0.wav,You are never here\n", encoding="utf-8")
    (place / "talk_1.txt").write_text("all of this", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "sg"
    report = SpeechGestures(renditions=2).prepare(folder, out, workers=1)
    assert not report.failed, report.failed
    return PreparedDataset.open(out)


def test_streams_events_labels_and_words_run_on_one_clock(prepared):
    for i in range(len(prepared)):
        frames = int(prepared.frames[i])
        assert frames == 60
        audio = prepared.audio(i)
        assert audio.features["prosody"].shape == (60, 4)
        assert audio.samples.shape == (48_000,)
        events = prepared.events(i)
        assert len(events["strokes"]) >= 1
        track = audio.features["strokes"]
        wanted = stroke_track(events["strokes"], np.ones(len(events["strokes"])), frames, 20.0)
        assert np.abs(track[:, :3] - wanted[:, :3]).max() < 2e-3
        assert prepared.labels(i)["emotion"] in ("happy", "sad", "neutral", "old", "angry", "relaxed")


def test_no_sentence_and_no_gesture_is_in_two_splits(folder):
    source = SpeechGestures(renditions=2)
    items = source.items(folder, Report("x"))
    splits = {}
    for item in items:
        splits.setdefault(item.path, set()).add(item.split)
    assert all(len(split) == 1 for split in splits.values())
    libraries = source._libraries()
    names = [{g.name for g in of.gestures} for of in libraries.values()]
    assert sum(map(len, names)) == len(set.union(*names))


def test_the_same_seed_gives_the_same_motion_and_another_another(folder):
    item = SpeechGestures().items(folder, Report("x"))[0]
    first, again, other = (SpeechGestures(seed=seed).convert(item, False).rows[0] for seed in (0, 0, 1))
    assert np.array_equal(first.features, again.features)
    assert not np.array_equal(first.features, other.features)
    assert [word.text for word in first.spoken] in (["You", "are", "never", "here"], ["all", "of", "this"], [])


def test_bad_folders_are_one_line(tmp_path):
    with pytest.raises(DataError, match="no recording"):
        SpeechGestures().items(tmp_path, Report("x"))
    utter(tmp_path / "a.wav", 0)
    (tmp_path / "transcripts.csv").write_text("name,words\na.wav,hello\n")
    with pytest.raises(DataError, match="file and text are needed"):
        SpeechGestures().items(tmp_path, Report("x"))
    (tmp_path / "transcripts.csv").unlink()
    soundfile.write(tmp_path / "short.wav", np.full(3000, 0.1), 16_000)
    items = {item.id: item for item in SpeechGestures().items(tmp_path, Report("x"))}
    assert "at least" in SpeechGestures().convert(next(i for k, i in items.items() if "short" in k), False).error
    with pytest.raises(ConfigError, match="renditions"):
        SpeechGestures(renditions=0)


def test_there_is_one_rendition_at_least():
    least, usual = SpeechGestures(renditions=1, held_out_renditions=1), SpeechGestures()
    assert (least.renditions, least.held_out_renditions) == (1, 1)
    assert (usual.renditions, usual.held_out_renditions, usual.seed) == (3, 1, 0)
    for settings in ({"renditions": 0}, {"held_out_renditions": 0}):
        with pytest.raises(ConfigError, match="renditions must be 1 or more"):
            SpeechGestures(**settings)


def test_renditions_are_in_other_emotions_with_what_is_said(folder):
    """Three of a recording that is trained on, two of the others; the table of texts goes before files."""
    items = SpeechGestures(renditions=3, held_out_renditions=2).items(folder, Report("x"))
    of = {}
    for item in items:
        of.setdefault(item.id.rpartition("_r")[0], []).append(item)
    assert len(of) == 8
    for name, renditions in of.items():
        count = 3 if renditions[0].split == "train" else 2
        assert [item.id for item in renditions] == [f"{name}_r{k + 1}" for k in range(count)]
        assert len({item.words.labels["emotion"] for item in renditions}) == count
        assert {item.words.high for item in renditions} == {("You are never here",) if name == "talk_0" else ()}
    many = SpeechGestures(renditions=8).items(folder, Report("x"))
    emotions = [item.words.labels["emotion"] for item in many if item.id.startswith(many[0].id[:-1])]
    assert emotions[6:] == emotions[:2] or len(emotions) == 1
