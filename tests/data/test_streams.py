"""Music beside motion: what is stored is read back, and every window hears its own part."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.data.loader import Collate, make_loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.writer import PreparedWriter

FRAMES = 120
STREAMS = {"mel": (90.0, 4), "dynamics": (30.0, 1)}


def row(id="a", seed=0, **more):
    """A row in which mel frame n holds the number n, and motion frame t the number t."""
    features = np.repeat(np.arange(FRAMES, dtype=np.float32)[:, None], 26, 1)
    mel = np.repeat(np.arange(3 * FRAMES)[:, None], 4, 1)
    events = {"beats": np.arange(0.1, FRAMES / 30, 0.5), "bars": np.arange(0.1, FRAMES / 30, 2.0)}
    streams = {"mel": mel, "dynamics": np.linspace(0, 1, FRAMES)[:, None]}
    return {
        "id": id, "split": "train", "source": "", "features": features, "streams": streams, "events": events,
        "labels": {"style": "calm"},
    } | more  # fmt: skip


def write(out, *rows, streams=STREAMS, events=True):
    with PreparedWriter(
        out, name="music", representation="conductor", licence="CC0", streams=streams, events=events
    ) as w:
        for each in rows:
            w.add(**each)
        w.finish()
    return PreparedDataset.open(out)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("streams") / "set", row("a"), row("b"), row("c", split="test"))


def test_streams_and_events_are_read_back(dataset):
    assert dataset.streams == STREAMS
    np.testing.assert_array_equal(dataset.stream(1, "mel"), row()["streams"]["mel"])
    assert dataset.stream(1, "mel").dtype == np.float32
    np.testing.assert_allclose(dataset.stream(0, "dynamics"), row()["streams"]["dynamics"], atol=1e-3)
    events = dataset.events(0)
    np.testing.assert_allclose(events["beats"], row()["events"]["beats"], atol=1e-5)
    assert list(events) == ["bars", "beats"]
    assert dataset.inputs(0, "style") == ["calm"]
    assert dataset.inputs(0, "music") == []
    with pytest.raises(UnknownName, match="unknown stream 'mell'; did you mean 'mel'"):
        dataset.stream(0, "mell")


def test_it_is_a_folder_of_hf_datasets(dataset):
    from datasets import load_from_disk

    read = load_from_disk(str(dataset.folder))[0]
    assert np.frombuffer(read["stream_mel"], "<f2")[4] == 1


def test_a_window_of_motion_hears_its_own_part_of_the_music(dataset):
    batches = make_loader(dataset, "train", dataset.spec(), ("music", "style"), 2, seed=1, max_frames=40)
    starts = set()
    for epoch in range(8):
        batch = next(batches.epoch(epoch))
        for b, audio in enumerate(batch.raw["music"]):
            start = int(batch.motion.x[b, 0, 0])
            starts.add(start)
            assert audio.samples is None
            assert audio.seconds == pytest.approx(40 / 30)
            np.testing.assert_array_equal(audio.features["mel"][:, 0], np.arange(3 * start, 3 * start + 120))
            assert audio.features["dynamics"].shape == (40, 1)
            times = 0.1 + 0.5 * np.arange(8) - start / 30
            wanted = times[(times > -1 / 60) & (times < (40 - 0.5) / 30)]
            np.testing.assert_allclose(batch.events[b]["beats"], wanted, atol=1e-5)
        assert batch.raw["style"] == ["calm", "calm"]
    assert len(starts) > 8


def test_training_and_nothing_else_can_be_told_the_beats_of_the_score(dataset, tmp_path):
    told = make_loader(dataset, "train", dataset.spec(), ("music",), 2, seed=1, max_frames=40, written_beats=True)
    batch = next(told.epoch(0))
    for audio, events in zip(batch.raw["music"], batch.events, strict=True):
        written = audio.features["written_beats"]
        np.testing.assert_allclose(written[:, 0], events["beats"], atol=1e-5)
        np.testing.assert_allclose(written[written[:, 1] == 1, 0], events["bars"], atol=1e-5)
        name, _, whole = audio.part
        assert name.endswith("beats as written")  # kept apart from what an encoder hears by itself
        assert len(whole().features["written_beats"]) == len(row()["events"]["beats"])
    judged = make_loader(dataset, "test", dataset.spec(), ("music",), 1, train=False, max_frames=40, written_beats=True)
    assert "written_beats" not in next(iter(judged)).raw["music"][0].features
    nameless = write(tmp_path / "set", row("a", events={"fermatas": np.array([1.0])}))
    with pytest.raises(DataError, match="does not say where its beats are"):
        nameless.audio(0, written_beats=True)


def test_evaluation_takes_the_start(dataset):
    batch = Collate(dataset, dataset.spec(), ("music",), max_frames=40)([2])
    assert batch.raw["music"][0].features["mel"][0, 0] == 0
    assert batch.events[0]["bars"].tolist() == pytest.approx([0.1])
    assert torch.equal(batch.motion.x[0, :, 0], torch.arange(40.0))


def test_data_without_music_says_so(tmp_path, sample_dataset):
    with pytest.raises(UsageError, match=r"slot music: data set sample .* holds no sound"):
        Collate(sample_dataset, sample_dataset.spec(), ("music",))
    with pytest.raises(UsageError, match="holds no sound"):
        sample_dataset.audio(0)
    assert Collate(sample_dataset, sample_dataset.spec(), ())([0]).events is None
    assert sample_dataset.events(0) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"streams": {"mel": np.zeros((360, 4))}}, r"a: streams \['mel'\], but this data set holds"),
        ({"streams": {"mel": np.zeros((359, 4)), "dynamics": np.zeros((120, 1))}}, r"not \(360, 4\) for 120 frames"),
        ({"streams": {"mel": np.full((360, 4), np.nan), "dynamics": np.zeros((120, 1))}}, "stream mel has a NaN"),
        ({"streams": {"mel": np.full((360, 4), 1e6), "dynamics": np.zeros((120, 1))}}, "float16 cannot hold"),
        ({"events": {"beats": np.array([1.0, 0.5])}}, "a: events 'beats' must be finite times in order"),
        ({"events": {"beats": np.array([np.nan])}}, "must be finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_wrong_rows_are_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "set", row(**change))
    assert not list(tmp_path.iterdir())
