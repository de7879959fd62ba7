"""Scores from MIDI, and the beats that a conductor would give them."""

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.core.errors import DataError, OutputError
from motion_platform.data.scores import score

mido = pytest.importorskip("mido")


def midi(path, meters=((0, 4, 4),), tempi=((0, 100.0),), quarters=32):
    made = mido.MidiFile(ticks_per_beat=480)
    head, track = mido.MidiTrack(), mido.MidiTrack()
    made.tracks += [head, track]
    changes = [(at, mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm))) for at, bpm in tempi]
    changes += [(at, mido.MetaMessage("time_signature", numerator=n, denominator=d)) for at, n, d in meters]
    now = 0
    for at, message in sorted(changes, key=lambda change: change[0]):
        head.append(message.copy(time=(at - now) * 480))
        now = at
    track.append(mido.Message("program_change", program=40))
    for k in range(quarters):
        track.append(mido.Message("note_on", note=60 + k % 12, velocity=80))
        track.append(mido.Message("note_off", note=60 + k % 12, time=480))
    made.save(str(path))
    return path


@pytest.mark.parametrize(
    ("numerator", "denominator", "tempo", "beats"),
    [
        (4, 4, 100, 4), (4, 4, 180, 2), (3, 4, 120, 3), (3, 4, 200, 1), (2, 4, 100, 2), (2, 4, 192, 1), (2, 4, 40, 4),
        (2, 2, 160, 2), (2, 2, 80, 4), (6, 8, 120, 2), (6, 8, 45, 6), (3, 8, 60, 3), (3, 8, 110, 1), (12, 8, 90, 4),
        (9, 8, 90, 3), (5, 4, 100, 5), (1, 4, 60, 1), (7, 8, 400, 7), (2, 2, 340, 1), (4, 4, 400, 1),
    ],
)  # fmt: skip
def test_beats_of_a_bar_follow_from_meter_and_tempo(numerator, denominator, tempo, beats):
    assert score.beats_a_bar(numerator, denominator, tempo) == beats


def test_notes_tempo_and_meter_are_read_in_quarters(tmp_path):
    read = score.read(midi(tmp_path / "a.mid", tempi=((0, 100.0), (8, 60.0))))
    np.testing.assert_allclose(read.onset, np.arange(32))
    np.testing.assert_allclose(read.duration, 1)
    assert (read.programs, read.drums, read.name, read.end) == ((40,), (False,), "a", 32.0)
    np.testing.assert_allclose(read.tempo_at(np.array([0.0, 7.9, 8.0, 31.0])), [100, 100, 60, 60], rtol=1e-3)


def test_bars_start_anew_at_a_new_meter(tmp_path):
    read = score.read(midi(tmp_path / "a.mid", meters=((0, 4, 4), (10, 3, 4))))
    beats = score.grid(read)
    np.testing.assert_allclose(beats.position[beats.index == 0], [0, 4, 8, 10, 13, 16, 19, 22, 25, 28, 31])
    np.testing.assert_allclose(beats.position, np.arange(34)[: len(beats.position)])
    assert beats.beats[:10].tolist() == [4] * 10
    assert set(beats.beats[10:]) == {3}


def test_a_file_without_tempo_or_meter_is_what_the_standard_says(tmp_path):
    read = score.read(midi(tmp_path / "a.mid", meters=(), tempi=()))
    assert (read.tempo, read.meter) == (((0.0, 120.0),), ((0.0, 4, 4),))


def test_notes_of_one_key_struck_again_and_parts_of_one_track(tmp_path):
    made = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    made.tracks.append(track)
    track.append(mido.Message("program_change", program=73, channel=2))
    track.append(mido.Message("note_on", note=60, velocity=90, channel=2))
    track.append(mido.Message("note_on", note=35, velocity=90, channel=9, time=240))
    track.append(mido.Message("note_on", note=60, velocity=50, channel=2, time=240))
    track.append(mido.Message("note_on", note=60, velocity=0, channel=2, time=960))
    track.append(mido.Message("note_off", note=35, channel=9))
    made.save(str(tmp_path / "a.mid"))
    read = score.read(tmp_path / "a.mid")
    np.testing.assert_allclose(read.onset, [0, 0.5, 1])
    np.testing.assert_allclose(read.duration, [1, 2.5, 2])
    assert read.velocity.tolist() == [90, 90, 50]
    assert [(read.programs[p], read.drums[p]) for p in read.part] == [(73, False), (0, True), (73, False)]


def test_a_rest_after_a_note_that_velocity_zero_ended_is_no_note(tmp_path):
    """MIDI 1.0, "Note-On with velocity 0": it ends a note, as most files do, and never starts one."""
    made = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    made.tracks.append(track)
    for velocity, wait in ((90, 0), (0, 480), (70, 960), (0, 480)):  # a quarter, two quarters of rest, a quarter
        track.append(mido.Message("note_on", note=60, velocity=velocity, time=wait))
    made.save(str(tmp_path / "a.mid"))
    read = score.read(tmp_path / "a.mid")
    np.testing.assert_allclose(read.onset, [0, 3])
    np.testing.assert_allclose(read.duration, [1, 1])
    assert read.velocity.tolist() == [90, 70]


def test_an_excerpt_is_whole_bars_of_about_the_length(tmp_path):
    read = score.read(midi(tmp_path / "a.mid", quarters=80))
    starts = set()
    for seed in range(8):
        cut = score.excerpt(read, 20.0, np.random.default_rng(seed))
        starts.add(cut.onset[0])
        assert cut.onset[0] % 4 == 0
        assert len(cut.onset) * 0.6 == pytest.approx(20, abs=2.4)
    assert len(starts) > 2
    changing = score.read(midi(tmp_path / "b.mid", meters=((0, 4, 4), (40, 3, 4), (64, 2, 4)), quarters=80))
    for seed in range(8):
        cut = score.excerpt(changing, 20.0, np.random.default_rng(seed))
        assert cut.end - 1 <= score.grid(cut).position[-1] < cut.end
    assert score.excerpt(read, 60.0, np.random.default_rng(0)) is read


@pytest.mark.parametrize("content", [b"", b"garbage", b"MThd\x00\x00\x00\x06\x00\x01\x00\x00\x01\xe0", b"\x00" * 5000])
def test_what_is_no_midi_or_has_no_notes_is_one_line(tmp_path, content):
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mid: (cannot be read as MIDI|has no notes)") as caught:
        score.read(path)
    assert "\n" not in str(caught.value)


def test_beats_of_every_meter_at_every_tempo_and_their_places_are_what_they_were(tmp_path):
    """Where one pattern ends and the next begins; a set of made-up conductors can be made again."""
    tempi = np.arange(11, 400, 7)
    found = [[score.beats_a_bar(n, d, t) for t in tempi] for d in (1, 2, 4, 8, 16) for n in range(1, 16)]
    meters = ((0, 4, 4), (8, 3, 4), (17, 6, 8), (23, 2, 2), (33, 5, 4))
    read = score.read(
        midi(tmp_path / "a.mid", meters, ((0, 100.0), (6, 176.0), (19, 47.0), (26, 90.0), (40, 168.0)), quarters=61)
    )
    made = {"beats": np.array(found, np.int8)}
    for factor in (0.8, 1.0, 1.3):
        beats = score.grid(read, factor)
        made[f"grid {factor}"] = np.stack([beats.position, beats.index, beats.beats, beats.quarters])
    cuts = [
        score.excerpt(read, length, np.random.default_rng(k)).onset for k, length in enumerate((5.0, 9.0, 14.0, 20.0))
    ]
    made["excerpts"] = np.concatenate(cuts)
    made["seconds"] = np.array([read.seconds, read.end])
    check_stored("scores", made, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"tempi": ((0, 5.0),)}, True),
        ({"tempi": ((0, 4.99),)}, False),
        ({"tempi": ((0, 1000.0),)}, True),
        ({"tempi": ((0, 1001.0),)}, False),
        ({"meters": ((0, 64, 64),)}, True),
        ({"meters": ((0, 65, 64),)}, False),
        ({"meters": ((0, 4, 128),)}, False),
    ],
)
def test_tempi_and_meters_are_allowed_up_to_their_borders(tmp_path, changes, allowed):
    path = midi(tmp_path / "a.mid", **changes, quarters=2)
    if allowed:
        assert len(score.read(path).onset) == 2
    else:
        with pytest.raises(DataError, match=r"allowed: 5 to 1000|at most 64 beats, of at least 1/64"):
            score.read(path)


def test_a_score_lasts_four_hours_at_most_and_has_eight_megabytes(tmp_path, monkeypatch):
    def long(quarters, bpm):
        made = mido.MidiFile(ticks_per_beat=1)
        made.tracks.append(mido.MidiTrack())
        made.tracks[0].append(mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm)))
        made.tracks[0].append(mido.Message("note_on", note=60, velocity=80))
        made.tracks[0].append(mido.Message("note_off", note=60, time=quarters))
        made.save(str(tmp_path / "a.mid"))
        return score.read(tmp_path / "a.mid")

    assert long(14_399, 120).end == 14_399
    with pytest.raises(DataError, match="is 14400 quarter notes long; at most 14400"):
        long(14_400, 120)
    assert long(7200, 30).seconds == 14_400
    with pytest.raises(DataError, match=r"lasts 4\.0 hours; at most 4"):
        long(7201, 30)
    with pytest.raises(DataError, match=r"is .* quarter notes long"):
        long(2**53 - 1, 30)
    with pytest.raises(DataError, match=r"is .* quarter notes long"):
        long(2**53, 30)
    with pytest.raises(DataError, match="a note lies beyond any end"):
        long(2**53 + 1, 30)  # its place is no number of quarters any more
    assert score.LARGEST == 8 * 1024 * 1024
    long(9, 30)
    size = (tmp_path / "a.mid").stat().st_size
    monkeypatch.setattr(score, "LARGEST", size)
    assert long(9, 30).end == 9
    monkeypatch.setattr(score, "LARGEST", size - 1)
    with pytest.raises(DataError, match="MB of MIDI; at most"):
        long(9, 30)


def test_what_holds_before_the_first_change_is_the_standard_and_nothing_is_there_twice(tmp_path):
    """120 quarters a minute in 4/4 up to the first tempo and time signature; from 0 on, what the file says alone."""
    read = score.read(midi(tmp_path / "a.mid", meters=((0, 3, 4),), tempi=((0, 100.0),)))
    assert read.meter == ((0.0, 3, 4),)
    assert [at for at, _ in read.tempo] == [0.0]
    read = score.read(midi(tmp_path / "b.mid", meters=((1, 3, 4), (4, 2, 4)), tempi=((1, 100.0),)))
    assert read.meter == ((0.0, 4, 4), (1.0, 3, 4), (4.0, 2, 4))
    assert read.tempo == ((0.0, 120.0), (1.0, pytest.approx(100.0)))
    made = mido.MidiFile(str(tmp_path / "a.mid"))
    for message in made.tracks[0]:
        message.time += 120 * (message.type in ("time_signature", "set_tempo"))  # a quarter of a quarter
    made.save(str(tmp_path / "c.mid"))
    read = score.read(tmp_path / "c.mid")
    assert sorted({at for at, *_ in read.meter} | {at for at, _ in read.tempo}) == [0.0, 0.25, 0.5]
    assert read.meter[0] == (0.0, 4, 4)
    assert read.tempo[0] == (0.0, 120.0)


def test_of_several_changes_at_one_place_the_last_is_in_force(tmp_path):
    read = score.read(midi(tmp_path / "a.mid", meters=((0, 3, 4), (0, 2, 4)), tempi=((0, 100.0), (0, 90.0))))
    assert read.meter == ((0.0, 2, 4),)
    assert [round(rate) for _, rate in read.tempo] == [90]


def test_an_excerpt_without_a_note_is_the_whole(tmp_path):
    read = score.read(midi(tmp_path / "a.mid", quarters=64))
    silent = (read.onset < 8) | (read.onset >= 60)
    names = ("onset", "duration", "pitch", "velocity", "part")
    read = score.replace(read, **{name: getattr(read, name)[silent] for name in names})
    found = [score.excerpt(read, 2.4, np.random.default_rng(seed)) for seed in range(30)]
    assert all(len(each.onset) for each in found)
    assert any(each is read for each in found)
    parts = [each for each in found if each is not read]
    assert all(np.ptp(each.onset) < 4 for each in parts)


def test_a_library_that_is_missing_says_what_to_install():
    with pytest.raises(OutputError, match=r"needs no_such_library; pip install 'motion-platform\[scores\]'"):
        score.library("no_such_library")
    assert score.library("mido") is mido


def written(meter, tempo=((0.0, 60.0),), end=32.0):
    """A score of quarter notes up to its end."""
    onset = np.arange(0.0, end)
    ones = np.ones(len(onset), np.int64)
    duration = np.minimum(end - onset, 1.0)
    return score.Score("x", onset, duration, 60 * ones, 80 * ones, 0 * ones, (0,), (False,), tuple(tempo), tuple(meter))


def test_the_tempo_of_the_four_bars_before_and_after_decides_how_a_bar_is_beaten():
    """Bars of a tempo each, about where four beats become two, also where the meter changes."""
    random = np.random.default_rng(0)
    rates = random.permutation(np.linspace(100, 240, 80))
    tempo = [(4.0 * k, rate) for k, rate in enumerate(rates)]
    read = written(((0.0, 4, 4), (160.0, 4, 4)), tempo, 320.0)
    for factor in (1.0, 1.1):
        wanted = []
        for part in (rates[:40], rates[40:]):
            for k in range(40):
                around = [part[j] for j in range(40) if abs(j - k) <= 4]
                wanted += [2, 2] if factor * np.median(around) > 165 else [4] * 4
        assert score.grid(read, factor).beats.tolist() == wanted
        assert {2, 4} == set(wanted)


def test_beats_end_where_a_meter_or_the_score_does():
    """In two of two quarters each: a bar of three quarters and one of seven, whose last beats are cut."""
    beats = score.grid(written(((0.0, 2, 2), (7.0, 2, 2)), ((0.0, 160.0),), 13.5))
    assert beats.position.tolist() == [0, 2, 4, 6, 7, 9, 11, 13]
    assert beats.quarters.tolist() == [2, 2, 2, 1, 2, 2, 2, 0.5]
    assert beats.index.tolist() == [0, 1] * 4
    assert set(beats.beats.tolist()) == {2}
    late = score.grid(written(((0.0, 4, 4), (40.0, 3, 4)), end=8.0))  # a meter behind the end
    assert late.position.tolist() == list(range(8))


def test_an_excerpt_begins_at_every_bar_from_which_it_fits_and_a_short_score_is_whole():
    """At 60 a minute a quarter is a second; the last of 32 begins at 31 s."""
    read = written(((0.0, 4, 4),))
    assert score.excerpt(read, 31.0, np.random.default_rng(0)) is read
    for seconds in (30.9, 30.0):
        cut = score.excerpt(read, seconds, np.random.default_rng(0))
        assert cut is not read
        assert cut.onset.tolist() == read.onset.tolist()
    cuts = [score.excerpt(read, 15.0, np.random.default_rng(seed)) for seed in range(60)]
    assert {cut.onset[0] for cut in cuts} == {0.0, 4.0, 8.0, 12.0, 16.0}
    assert {len(cut.onset) for cut in cuts} == {16}
    cuts = [score.excerpt(read, 16.0, np.random.default_rng(seed)) for seed in range(60)]
    assert {(cut.onset[0], len(cut.onset)) for cut in cuts} == {(0.0, 16), (4.0, 16), (8.0, 16), (12.0, 16)}
    fast = written(((0.0, 4, 4),), ((0.0, 60.0), (16.0, 120.0)))  # the second half takes half the time
    ends = {score.excerpt(fast, 8.0, np.random.default_rng(seed)).end for seed in range(60)}
    assert ends == {8.0, 12.0, 16.0, 24.0}


def messages(path, *of, ticks=480):
    """A file of one track of (wait, bytes of a message)."""
    data = b"".join(bytes([wait]) + bytes(message) for wait, message in of) + b"\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + (0).to_bytes(2, "big") + (1).to_bytes(2, "big") + ticks.to_bytes(2, "big")
    path.write_bytes(head + b"MTrk" + len(data).to_bytes(4, "big") + data)
    return path


NOTE = ((0, (0x90, 60, 80)), (96, (0x80, 60, 0)))


def test_notes_are_in_order_of_onset_part_and_pitch_and_last_a_tick_at_least(tmp_path):
    """Without a program the first of General MIDI; a byte beyond 127 is taken for 127."""
    read = score.read(
        messages(
            tmp_path / "a.mid", (0, (0x91, 64, 50)), (0, (0x90, 67, 40)), (0, (0x90, 60, 90)), (0, (0x90, 62, 0xFF)),
            (0, (0x81, 64, 0)), (48, (0x80, 62, 0)), (0, (0x80, 60, 0)), (48, (0x80, 67, 0)), ticks=96,
        )
    )  # fmt: skip
    assert (read.programs, read.drums) == ((0, 0), (False, False))
    assert read.part.tolist() == [0, 1, 1, 1]
    assert read.pitch.tolist() == [64, 60, 62, 67]
    assert read.velocity.tolist() == [50, 90, 127, 40]
    np.testing.assert_allclose(read.duration, [1 / 96, 0.5, 0.5, 1.0])
    assert read.onset.tolist() == [0.0] * 4


def test_a_tempo_and_a_meter_of_nothing_are_passed_over_and_the_least_are_read(tmp_path):
    nothing = ((0, (0xFF, 0x51, 3, 0, 0, 0)), (0, (0xFF, 0x58, 4, 0, 2, 24, 8)))
    read = score.read(messages(tmp_path / "a.mid", *nothing, *NOTE))
    assert (read.tempo, read.meter) == (((0.0, 120.0),), ((0.0, 4, 4),))
    assert score.read(messages(tmp_path / "a.mid", (0, (0x90, 60, 1)), NOTE[1])).velocity.tolist() == [1]
    read = score.read(messages(tmp_path / "a.mid", (0, (0xFF, 0x58, 4, 1, 2, 24, 8)), *NOTE))
    assert read.meter == ((0.0, 1, 4),)
    with pytest.raises(DataError, match=r"6e.07 quarters a minute at quarter 0; allowed: 5 to 1000"):
        score.read(messages(tmp_path / "a.mid", (0, (0xFF, 0x51, 3, 0, 0, 1)), *NOTE))


def test_a_file_that_counts_no_quarter_notes_is_one_line(tmp_path):
    for ticks in (0, 0xE728):  # none to a quarter, and 40 to each of 25 film frames a second
        with pytest.raises(DataError, match=r"a\.mid: (counts film frames, not quarter notes|cannot be read as MIDI)"):
            score.read(messages(tmp_path / "a.mid", *NOTE, ticks=ticks))
