"""From a folder of MIDI to a prepared data set: split by piece, on one clock, seeded, and bad files named."""

from dataclasses import replace

import numpy as np
import pytest

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.scores import score, synthesis
from motion_platform.data.scores.conductors import CONDUCTORS
from motion_platform.data.scores.performance import Performance, PerformancePlan
from motion_platform.data.sources import conductor_scores
from motion_platform.data.sources.conductor_scores import ConductorScores

mido = pytest.importorskip("mido")
pytest.importorskip("midirenderer")
pytest.importorskip("pretty_midi")
PIECES = 6


def midi(path, seed, bars=10, beats=4):
    random = np.random.default_rng(seed)
    made = mido.MidiFile(ticks_per_beat=480)
    head = mido.MidiTrack()
    made.tracks.append(head)
    head.append(mido.MetaMessage("set_tempo", tempo=round(60e6 / (110 + seed))))
    head.append(mido.MetaMessage("time_signature", numerator=beats, denominator=4))
    for channel, low in ((0, 60), (1, 40)):
        track = mido.MidiTrack()
        made.tracks.append(track)
        for k in range(bars * beats):
            note = int(low + random.integers(12))
            velocity = 100 if k % beats == 0 else 60
            track.append(mido.Message("note_on", channel=channel, note=note, velocity=velocity, time=80 if k else 0))
            track.append(mido.Message("note_off", channel=channel, note=note, time=400))
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("scores")
    for k in range(PIECES):
        midi(root / ("deep" if k == 0 else ".") / f"piece{k}.mid", k)
    (root / "index.csv").write_text("file,composer,work,movement,source,licence\npiece1.mid,Anon,Op. 1,,here,free\n")
    return root


@pytest.fixture(scope="module")
def prepared(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "set"
    report = ConductorScores(renditions=2, window=15).prepare(source, out, workers=1)
    return report, PreparedDataset.open(out)


def test_rows_are_windows_of_renditions_split_by_piece(prepared):
    report, dataset = prepared
    assert report.failed == []
    pieces = {}
    for i in range(len(dataset)):
        id = dataset.id(i)
        pieces.setdefault(id.split("_r")[0], set()).add(dataset.split(i))
        assert dataset.labels(i)["style"] in CONDUCTORS
        assert 150 <= dataset.frames[i] <= 450
        assert dataset.stream(i, "mel").shape == (3 * dataset.frames[i], 128)
        assert dataset.stream(i, "dynamics").shape == (dataset.frames[i], 1)
    assert len(pieces) == PIECES
    assert all(len(splits) == 1 for splits in pieces.values())
    assert {"train", "test"} <= set().union(*pieces.values())
    train = next(piece for piece, splits in pieces.items() if splits == {"train"})
    styles = {dataset.labels(i)["style"] for i in range(len(dataset)) if dataset.id(i).startswith(f"{train}_r")}
    assert len(styles) == 2  # another conductor every time
    assert "Anon; Op. 1; here; free" in dataset.source(dataset.index("piece1_r1_w1"))
    assert "not measured" in dataset.meta["licence"]


def test_motion_sound_and_beats_are_on_one_clock(prepared):
    _, dataset = prepared
    late, rises = [], []
    for i in range(len(dataset)):
        beats = dataset.events(i)["beats"]
        assert set(np.round(dataset.events(i)["bars"], 4)) <= set(np.round(beats, 4))
        mel, y = dataset.stream(i, "mel").mean(1), dataset.features(i)[:, 21]  # down the frame: largest at the ictus
        for beat in beats[(beats > 0.5) & (beats < dataset.frames[i] / 30 - 0.5)]:
            k = round(beat * 30)
            late.append(np.argmax(y[k - 6 : k + 7]) - 6)
            rises.append(mel[round(beat * 90) + 3] - mel[round(beat * 90) - 6])
    assert abs(np.median(late)) <= 1  # frames
    assert np.mean(np.abs(late) <= 2) > 0.85
    assert np.mean(np.array(rises) > 0) > 0.8


def test_the_music_itself_is_kept_where_it_is_asked_for(source, prepared, tmp_path):
    ConductorScores(renditions=2, window=15, sound=True).prepare(source, tmp_path / "heard", workers=1)
    heard, (_, silent) = PreparedDataset.open(tmp_path / "heard"), prepared
    assert silent.audio(0).samples is None
    for i in range(len(heard)):
        assert np.array_equal(heard.features(i), silent.features(silent.index(heard.id(i))))
        audio = heard.audio(i)
        assert (len(audio.samples), audio.rate) == (round(heard.frames[i] / 30 * 22050), 22050)
    first = ConductorScores().rendition(
        source / "piece2.mid", "piece2_r1", heard.labels(heard.index("piece2_r1_w1"))["style"]
    )
    kept = heard.audio(heard.index("piece2_r1_w1")).samples
    assert np.abs(kept - first.samples[: len(kept)]).max() < 1e-3  # half precision


def test_the_same_settings_make_the_same_and_other_seeds_another(source):
    path, id = source / "piece2.mid", "piece2_r1"
    a, b = (ConductorScores().rendition(path, id, "grand") for _ in range(2))
    np.testing.assert_array_equal(a.samples, b.samples)
    np.testing.assert_array_equal(a.keypoints, b.keypoints)
    c = ConductorScores(seed=1).rendition(path, id, "grand")
    assert len(a.samples) != len(c.samples) or np.abs(a.samples - c.samples).max() > 0.01


def test_a_rendition_draws_a_soundfont_and_nothing_else_changes(source, tmp_path):
    path, missing = source / "piece2.mid", str(tmp_path / "missing.sf2")
    both = ConductorScores(soundfont=[synthesis.PACKAGED, missing])
    found = []
    for k in range(6):
        try:
            found.append(both.rendition(path, f"piece2_r{k}", "grand"))
        except DataError:
            found.append(None)
    assert None in found
    first = next(k for k, rendition in enumerate(found) if rendition is not None)
    alone = ConductorScores().rendition(path, f"piece2_r{first}", "grand")
    np.testing.assert_array_equal(found[first].samples, alone.samples)
    np.testing.assert_array_equal(found[first].keypoints, alone.keypoints)
    with pytest.raises(DataError, match=r"missing\.sf2: no soundfont"):  # before anything is played
        both.items(source, Report("conductor_scores"))
    with pytest.raises(DataError, match=r"missing\.sf2: no soundfont"):
        ConductorScores(soundfont=missing).rendition(path, "piece2_r1", "grand")


def test_a_file_that_is_no_midi_is_reported_and_does_not_end_the_run(source, tmp_path):
    for name in ("piece1.mid", "piece2.mid"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "broken.mid").write_bytes(b"RIFF....")
    report = Report("conductor_scores")
    items = ConductorScores().items(tmp_path, report)
    assert {item.id.split("_r")[0] for item in items} == {"piece1", "piece2"}
    assert "broken.mid: cannot be read as MIDI" in report.failed[0]["why"]
    for name in ("piece1.mid", "piece2.mid"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"no MIDI file in .* can be read; the first: .*broken"):
        ConductorScores().items(tmp_path, Report("conductor_scores"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"renditions": 0}, "renditions must be 1 or more"),
        ({"held_out_renditions": 0}, "renditions must be 1 or more"),
        ({"window": 9.9}, r"window: got 9\.9 s; allowed: 10 or more"),
        ({"longest": 9.9}, r"longest: got 9\.9 s; allowed: 10 or more"),
        ({"soundfont": []}, "soundfont: got none; give SF2 files or TimGM6mb"),
    ],
)
def test_settings_that_make_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ConductorScores(**settings)
    least = ConductorScores(renditions=1, held_out_renditions=1, window=10, longest=10)
    assert (least.renditions, least.held_out_renditions, least.window, least.longest) == (1, 1, 10, 10)
    usual = ConductorScores()
    assert (usual.renditions, usual.held_out_renditions, usual.window, usual.longest, usual.seed) == (3, 1, 60, None, 0)


def test_a_frame_that_rounding_leaves_out_is_made_up_and_no_more():
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(conductor_scores._as_long_as(x, 3), x)
    np.testing.assert_array_equal(conductor_scores._as_long_as(x, 4)[3], x[2])
    for frames in (2, 5):
        with pytest.raises(DataError, match=f"made 3 frames where the motion needs {frames}"):
            conductor_scores._as_long_as(x, frames)


def test_the_main_meter_is_that_of_most_bars_and_not_of_most_beats():
    """Fast bars of one beat and a few of two: a bar counts once, however many beats it has."""
    starts = np.arange(0.0, 54.0, 0.5)
    ones = np.zeros(len(starts), dtype=np.int64)
    tempo = ((0.0, 200.0), (30.0, 90.0), (38.0, 200.0))
    meter = ((0.0, 3, 4), (30.0, 2, 4), (38.0, 3, 4))
    notes = (starts, ones + 0.5, ones + 60, ones + 80, ones)
    read = score.Score("bars", *notes, programs=(0,), drums=(False,), tempo=tempo, meter=meter)
    grid = score.grid(read)
    bars = np.bincount(grid.beats[grid.index == 0], minlength=3)
    assert bars[1] > bars[2] > 0
    assert conductor_scores._main_meter(read) == 1


def test_a_window_holds_the_events_from_its_first_frame_to_before_its_end(source, monkeypatch):
    """Beats exactly at the border of two windows belong to the second, whose clock begins there."""
    maker = ConductorScores(renditions=1, window=10)
    item = maker.items(source, Report(""))[0]
    played = maker.rendition(item.path, item.id, item.words.labels["style"])
    plan = played.performance.plan
    beats = plan.beats.copy()
    border = int(np.argmin(np.abs(beats - 10.0)))
    beats[0], beats[border] = 0.0, 10.0
    changed = replace(played.performance, plan=replace(plan, beats=beats))
    monkeypatch.setattr(
        maker, "rendition", lambda *_: conductor_scores.Rendition(played.samples, changed, played.keypoints)
    )
    rows = maker.convert(item, False).rows
    assert len(rows) >= 2
    np.testing.assert_array_equal(rows[0].events["beats"], beats[:border])
    np.testing.assert_array_equal(rows[1].events["beats"], beats[(beats >= 10.0) & (beats < 20.0)] - 10.0)
    assert rows[0].events["beats"][0] == rows[1].events["beats"][0] == 0.0


def test_a_rendition_may_be_of_a_part_of_the_piece(source):
    whole, part = ConductorScores(), ConductorScores(longest=10.0)
    item = whole.items(source, Report(""))[0]
    seconds = [m.rendition(item.path, item.id, "classical").performance.plan.seconds for m in (whole, part)]
    assert seconds[1] < 0.75 * seconds[0]
    assert seconds[1] > 10.0


def test_a_piece_that_cannot_be_conducted_is_one_error(source):
    maker = ConductorScores()
    item = maker.items(source, Report(""))[0]
    result = maker.convert(replace(item, path=str(source / "index.csv")), False)
    assert not result.rows
    assert "cannot be read as MIDI" in result.error


def rendered(source, monkeypatch, frames, **settings):
    """The rows of a rendition of so many frames whose sound, mel, keypoints and dynamics count upwards."""
    maker = ConductorScores(renditions=1, **settings)
    item = maker.items(source, Report(""))[0]
    beats = np.arange(0.0, frames / 30, 0.5)
    plan = PerformancePlan(
        frames / 30, beats, np.arange(len(beats)) % 4, np.full(len(beats), 4), np.arange(float(frames)),
        np.zeros(frames), beats[3::7], np.where(np.arange(len(beats)) % 5 == 4, 0.5, 0.0),
    )  # fmt: skip
    nothing = np.zeros(0)
    played = Performance(nothing, nothing, nothing, nothing, nothing, plan)
    samples = np.arange(round(frames / 30 * 22050) - 100, dtype=np.float32)
    keypoints = np.repeat(np.arange(frames) / 1000, 26).reshape(frames, 13, 2).astype(np.float32)
    rendition = conductor_scores.Rendition(samples, played, keypoints)
    monkeypatch.setattr(maker, "rendition", lambda *_: rendition)
    mel = np.repeat(np.arange(3.0 * frames)[:, None], 128, 1)
    monkeypatch.setattr(conductor_scores.front_end, "mel", lambda samples, rate: mel)
    return maker.convert(item, False).rows


@pytest.mark.parametrize(
    ("frames", "lengths"), [(600, [330]), (630, [330, 300]), (629, [330]), (990, [330] * 3), (299, [299])]
)
def test_windows_hold_their_own_part_of_everything(source, monkeypatch, frames, lengths):
    """What is left is kept from ten seconds on, and where there is nothing else; sound that is missing is silence."""
    rows = rendered(source, monkeypatch, frames, window=11, sound=True)
    assert [len(row.features) for row in rows] == lengths
    assert [row.id.rpartition("_")[2] for row in rows] == [f"w{k + 1}" for k in range(len(rows))]
    for k, row in enumerate(rows):
        first, size = 330 * k, len(row.features)
        np.testing.assert_allclose(row.features[:, 0], np.arange(first, first + size) / 1000, atol=1e-6)
        np.testing.assert_array_equal(row.streams["mel"][:, 5], np.arange(3 * first, 3 * (first + size)))
        np.testing.assert_array_equal(row.streams["dynamics"], np.arange(first, first + size)[:, None])
        count = round(size / 30 * 22050)
        heard = np.arange(count) + round(first / 30 * 22050)
        heard[heard >= round(frames / 30 * 22050) - 100] = 0
        np.testing.assert_array_equal(row.streams["samples"], heard[:, None].astype(np.float32))
        beats = np.arange(0.0, frames / 30, 0.5)
        for name, times in (("beats", beats), ("bars", beats[::4]), ("cues", beats[3::7]), ("fermatas", beats[4::5])):
            wanted = times[(times >= 11 * k) & (times < 11 * k + size / 30)] - 11 * k
            np.testing.assert_allclose(row.events[name], wanted, atol=1e-9)
    silent = rendered(source, monkeypatch, frames, window=11)
    assert set(silent[0].streams) == {"mel", "dynamics"}


def test_credits_are_what_an_index_says_of_a_file(tmp_path):
    assert conductor_scores._credits(tmp_path) == {}
    (tmp_path / "index.csv").write_text("file,composer,licence,other\na.mid,B,,x\n,C,free,\nb.mid,,free,\n")
    assert conductor_scores._credits(tmp_path) == {"a.mid": "B", "b.mid": "free"}


def test_renditions_of_a_piece_are_of_other_conductors_until_all_have_played(source):
    maker = ConductorScores(renditions=7, held_out_renditions=2)
    items = maker.items(source, Report(""))
    of = {}
    for item in items:
        of.setdefault(item.id.rpartition("_r")[0], []).append(item)
    for piece, renditions in of.items():
        assert [item.id for item in renditions] == [f"{piece}_r{k + 1}" for k in range(len(renditions))]
        assert len(renditions) == (7 if renditions[0].split == "train" else 2)
        styles = [item.words.labels["style"] for item in renditions]
        assert len(set(styles)) == min(len(styles), 5)
        assert styles[5:] == styles[: len(styles[5:])]
    assert {len(renditions) for renditions in of.values()} == {2, 7}
