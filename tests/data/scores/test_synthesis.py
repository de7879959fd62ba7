"""Sound: what was played is heard, when it was played."""

from dataclasses import replace

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.core.errors import DataError, OutputError
from motion_platform.data.scores import synthesis
from motion_platform.data.scores.conductors import CONDUCTORS
from motion_platform.data.scores.performance import part_of, perform
from motion_platform.data.scores.score import Score

for needed in ("mido", "midirenderer", "pretty_midi"):
    pytest.importorskip(needed)


@pytest.fixture(scope="module")
def played():
    """Short notes a beat apart, and what a performance made of them."""
    onset = np.arange(0, 16, 2.0)
    n = len(onset)
    score = Score(
        "made", onset, np.full(n, 0.5), np.full(n, 69), np.full(n, 100), np.zeros(n, np.int64), (0,), (False,),
        ((0.0, 120.0),), ((0.0, 4, 4),),
    )  # fmt: skip
    return score, perform(score, CONDUCTORS["classical"], np.random.default_rng(0))


def test_notes_sound_when_they_are_played_and_at_their_pitch(played):
    score, performance = played
    dry = synthesis.play(score, performance, (0,))
    rate = synthesis.RATE
    for onset in performance.onset:
        k = int(onset * rate)
        before, after = np.abs(dry[max(0, k - 700) : k - 50]), np.abs(dry[k : k + 1500])
        assert after.max() > 0.02
        assert before.max() < 0.2 * after.max()


@pytest.mark.parametrize("program", [0, 19, 40, 42, 48, 60, 61, 68, 73])
@pytest.mark.parametrize("shift", [0, 3])
def test_instruments_are_in_tune(played, program, shift):
    """A player that ignores a sample's tuning puts cellos two semitones flat."""
    score, performance = played
    sound, rate = synthesis.play(score, performance, (program,), shift=shift), synthesis.RATE
    k = int(performance.onset[0] * rate) + 1500
    heard = np.abs(np.fft.rfft(sound[k : k + 5000] * np.hanning(5000), 8 * rate))

    def energy(semitones):
        pitch = 440 * 2 ** (semitones / 12)
        return sum(np.log(heard[round(8 * pitch * h) - 12 : round(8 * pitch * h) + 13].max()) for h in (1, 2, 3))

    tried = np.arange(-6.0, 6.1, 0.25)
    assert abs(tried[np.argmax([energy(x) for x in tried])] - shift) <= 0.25


def test_a_recording_is_as_long_as_its_plan_in_range_and_seeded(played):
    sounds = [synthesis.synthesise(*played, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert np.abs(sounds[0] - sounds[2]).max() > 0.01
    for sound in sounds:
        assert sound.dtype == np.float32
        assert len(sound) == round(played[1].plan.seconds * synthesis.RATE)
        assert 0.05 < np.abs(sound).max() <= 1


def test_casts_keep_percussion_and_differ(played):
    score = replace(played[0], programs=(40, 60, 73), drums=(False, False, False))
    casts = {synthesis.cast(score, np.random.default_rng(seed)) for seed in range(30)}
    assert (40, 60, 73) in casts
    assert len(casts) > 8
    assert all(0 <= program < 128 for cast in casts for program in cast)


def test_more_parts_than_channels_share_by_program():
    channels = synthesis._channels(tuple(range(40, 50)) * 2, (False,) * 19 + (True,))
    assert channels[:9] == channels[10:19]
    assert channels[19] == 9
    assert len(set(channels[:10])) == 10
    assert 9 not in channels[:19]
    assert synthesis._channels((1, 1, 1), (False, True, False)) == [0, 9, 1]


@pytest.mark.parametrize(
    ("value", "wanted"), [(0, "00"), (127, "7f"), (128, "8100"), (16383, "ff7f"), (16384, "818000")]
)
def test_times_are_written_as_the_midi_standard_says(value, wanted):
    assert synthesis._variable_length(value).hex() == wanted


def test_part_of_keeps_the_notes_of_a_time(played):
    performance = played[1]
    cut = part_of(performance, performance.onset[2] - 0.01, performance.onset[5] - 0.01)
    np.testing.assert_array_equal(cut.onset, performance.onset[2:5])


def test_a_wrong_soundfont_is_one_line(played, tmp_path):
    with pytest.raises(DataError, match="no soundfont"):
        synthesis.play(*played, (0,), font=tmp_path / "none.sf2")
    (tmp_path / "bad.sf2").write_bytes(b"not a font")
    with pytest.raises(DataError, match=r"bad\.sf2: cannot be read as a soundfont"):
        synthesis.play(*played, (0,), font=tmp_path / "bad.sf2")


@pytest.mark.parametrize("program", [40, 43, 44, 48])
def test_an_ensemble_plays_the_strings_as_ensembles_tremolo_too(played, program):
    score = replace(played[0], programs=(program,), drums=(False,))
    casts = [synthesis.cast(score, np.random.default_rng(seed))[0] for seed in range(140)]
    assert sum(played_by in (48, 49, 50) for played_by in casts) > 30
    assert casts.count(program) > 30 or program == 48


def test_who_plays_what_in_every_kind_of_cast(played):
    """General MIDI's programs, counted from 0: all that a violin, a trombone and a piano become in 1,200 casts."""
    score = replace(played[0], programs=(40, 57, 0), drums=(False,) * 3)
    casts = [synthesis.cast(score, np.random.default_rng(seed)) for seed in range(1200)]
    strings, winds, brass = {48, 49, 50, 40, 41, 42, 43}, {68, 70, 71, 73, 72}, {60, 61, 56, 57, 58}
    keys = {0, 1, 6, 19, 46}
    every = strings | winds | brass | keys
    assert [{cast[part] for cast in casts} for part in range(3)] == [every] * 3
    assert {a for a, b, c in casts if (b, c) == (57, 0)} >= {40, 48, 49, 50}
    assert {a for a, b, c in casts if a == b == c} >= keys
    shares = [sum(cast == (40, 57, 0) for cast in casts), sum(cast[0] in (48, 49, 50) for cast in casts)]
    assert shares[0] / 1200 == pytest.approx(2 / 7, abs=0.06)  # as written
    assert shares[1] / 1200 == pytest.approx(2 / 7 + 3 / 22 / 7, abs=0.06)  # as ensembles, and by chance


def test_a_room_and_a_microphone_sound_as_they_did():
    pulse = np.zeros(20_000)
    pulse[2_000] = 1.0
    found = {}
    for seed in range(3):
        random = np.random.default_rng(seed)
        room = synthesis._room(pulse, random)
        heard = synthesis._microphone(room, random)
        found |= {f"{seed} room": room[::97].round(6), f"{seed} heard": heard[::97].round(6)}
    check_stored("sound", found, atol=2e-5)


def test_what_is_given_to_the_player_is_the_performance_in_milliseconds(played):
    """Read back with mido: no reverberation, programs first, ends before starts, notes of 15 ms at least."""
    import io

    import mido

    score = replace(played[0], programs=(40, 0), drums=(False, True))
    performance = replace(
        played[1], onset=np.array([-0.1, 0.5, 1.0, 1.5]), duration=np.array([0.2, 0.004, 0.5, 0.3]),
        pitch=np.array([126, 2, 60, 36]), velocity=np.array([90, 80, 70, 60]), part=np.array([0, 0, 0, 1]),
    )  # fmt: skip
    made = mido.MidiFile(file=io.BytesIO(synthesis._midi(score, performance, (40, 0), 4)))
    assert (made.ticks_per_beat, made.type) == (1000, 0)
    (track,) = made.tracks
    now, said = 0, []
    for message in track:
        now += message.time
        said.append((now, message.type, *message.bytes()[:3]))
    assert said[0][:2] == (0, "set_tempo")
    assert track[0].tempo == 1_000_000
    control = [(0, "control_change", 0xB0 | channel, number, 0) for channel in (0, 9) for number in (91, 93)]
    assert [entry for entry in said if entry[1] == "control_change"] == control
    assert [entry for entry in said if entry[1] == "program_change"] == [
        (0, "program_change", 0xC0, 40),
        (0, "program_change", 0xC9, 0),
    ]
    notes = [(at, kind, *rest) for at, kind, *rest in said if kind.startswith("note")]
    assert notes == [
        (0, "note_on", 0x90, 127, 90), (100, "note_off", 0x80, 127, 0), (500, "note_on", 0x90, 6, 80),
        (515, "note_off", 0x80, 6, 0), (1000, "note_on", 0x90, 64, 70), (1500, "note_off", 0x80, 64, 0),
        (1500, "note_on", 0x99, 36, 60), (1800, "note_off", 0x89, 36, 0),
    ]  # fmt: skip
    assert said[-1][:2] == (2800, "end_of_track")


def test_what_is_made_of_what_the_player_gave_is_what_it_was(played, monkeypatch):
    """Level, noise, length and the draws before them; the player's part is a made-up tone."""
    asked = []

    def tone(score, performance, programs, shift, font):
        asked.append((programs, shift, font))
        return np.sin(np.arange(len(asked) * 20_000) / 40) * np.exp(-np.arange(len(asked) * 20_000) / 9000)

    monkeypatch.setattr(synthesis, "play", tone)
    score, performance = played
    score = replace(score, programs=(40, 57, 0), drums=(False,) * 3)
    plan = replace(performance.plan, seconds=3.0)
    found = {}
    for seed in range(9):
        sound = synthesis.synthesise(score, replace(performance, plan=plan), np.random.default_rng(seed), "a.sf2")
        assert sound.shape == (3 * 22050,)
        found[f"{seed}"] = np.concatenate([sound[::601], [np.abs(sound).max(), np.abs(sound[-4000:]).std()]])
    found["asked"] = np.array([[*programs, shift] for programs, shift, _ in asked])
    assert {font for *_, font in asked} == {"a.sf2"}
    check_stored("synthesised", {name: values.astype(np.float32) for name, values in found.items()}, atol=1e-6)
    monkeypatch.setattr(synthesis, "play", lambda *_: np.zeros(1000))
    silent = synthesis.synthesise(score, replace(performance, plan=plan), np.random.default_rng(0))
    assert 0 < np.abs(silent).max() < 0.05  # noise alone


def test_a_shift_is_drawn_from_four_semitones_down_to_four_up(played, monkeypatch):
    shifts = []
    monkeypatch.setattr(synthesis, "play", lambda *given: shifts.append(given[3]) or np.zeros(10))
    short = replace(played[1], plan=replace(played[1].plan, seconds=0.01))
    for seed in range(90):
        synthesis.synthesise(played[0], short, np.random.default_rng(seed))
    assert set(shifts) == set(range(-4, 5))


def test_fifteen_parts_have_a_channel_each_and_sixteen_share(played):
    free = [*range(9), *range(10, 16)]
    assert synthesis._channels((1,) * 15, (False,) * 15) == free
    assert synthesis._channels((1,) * 16, (False,) * 16) == [0] * 16
    programs = tuple(range(20))
    assert synthesis._channels(programs, (False,) * 20) == [free[k % 15] for k in range(20)]
    assert synthesis._channels((7, 0, 7, 3), (False, True, False, False)) == [0, 9, 1, 2]


def test_what_is_too_long_to_be_made_whole_is_refused(played, monkeypatch):
    rendered = []

    class Player:
        @staticmethod
        def render_wave_from(font, midi):
            rendered.append(midi)
            raise RuntimeError("rendered")

    monkeypatch.setattr(synthesis, "library", lambda name: Player)
    performance = replace(
        played[1], onset=np.array([1.0, 1700.0]), duration=np.array([0.5, 100.0]), pitch=np.array([60, 61]),
        velocity=np.array([80, 80]), part=np.array([0, 0]),
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="rendered"):
        synthesis.play(played[0], performance, (0,))
    assert rendered == [synthesis._midi(played[0], performance, (0,), 0)]
    for longer in (100.1, 2000.0):
        with pytest.raises(
            DataError, match=r"would be rendered for (30|62) minutes; at most 30 fit into memory; give a"
        ):
            synthesis.play(played[0], replace(performance, duration=np.array([0.5, longer])), (0,))


def test_a_wave_of_two_channels_and_another_rate_is_mixed_and_resampled(played, monkeypatch):
    import io

    import soundfile

    class Player:
        @staticmethod
        def render_wave_from(font, midi):
            time, data = np.arange(44_100) / 44_100, io.BytesIO()
            both = np.stack([0.6 * np.sin(2 * np.pi * 100 * time), 0.2 * np.sin(2 * np.pi * 100 * time)], 1)
            soundfile.write(data, both, 44_100, format="WAV", subtype="FLOAT")
            return data.getvalue()

    monkeypatch.setattr(synthesis, "library", lambda name: Player)
    sound = synthesis.play(*played, (0,))
    assert len(sound) == 22_050
    np.testing.assert_allclose(
        sound[500:-500], 0.4 * np.sin(2 * np.pi * np.arange(22_050) / 220.5)[500:-500], atol=2e-3
    )


@pytest.mark.parametrize("head", [b"RIFF\0\0\0\0WAVE", b"RIFX\0\0\0\0sfbk", b"RIFF\0\0\0\0sfb", b""])
def test_half_of_the_head_of_a_soundfont_is_none(tmp_path, head):
    (tmp_path / "a.sf2").write_bytes(head)
    with pytest.raises(DataError, match=r"a\.sf2: cannot be read as a soundfont"):
        synthesis.find_soundfont(tmp_path / "a.sf2")
    (tmp_path / "a.sf2").write_bytes(b"RIFF\0\0\0\0sfbkLIST")
    assert synthesis.find_soundfont(tmp_path / "a.sf2") == tmp_path / "a.sf2"
    assert synthesis.find_soundfont().name == "TimGM6mb.sf2"


def test_without_pretty_midi_it_says_what_to_install(monkeypatch):
    from importlib.machinery import ModuleSpec

    for found in (None, ModuleSpec("pretty_midi", None)):
        monkeypatch.setattr(synthesis.util, "find_spec", lambda name, found=found: found)
        with pytest.raises(
            OutputError, match=r"needs pretty_midi's soundfont; pip install 'motion-platform\[scores\]'"
        ):
            synthesis.find_soundfont()


def test_notes_of_one_time_are_played_in_the_order_of_the_performance(played):
    performance = replace(
        played[1], onset=np.zeros(3), duration=np.array([0.0, 0.5, 0.5]), pitch=np.array([64, 60, 67]),
        velocity=np.array([80, 70, 60]), part=np.array([0, 0, 0]),
    )  # fmt: skip
    score = replace(played[0], programs=(3, 5), drums=(False, False))
    made = synthesis._midi(score, performance, (3, 5), 0)
    told = [
        b"\0\xb0\x5b\0", b"\0\xb0\x5d\0", b"\0\xc0\x03", b"\0\xb1\x5b\0", b"\0\xb1\x5d\0", b"\0\xc1\x05",
        b"\0\x90\x40\x50", b"\0\x90\x3c\x46", b"\0\x90\x43\x3c",
        b"\x0f\x80\x40\0", b"\x83\x65\x80\x3c\0", b"\0\x80\x43\0", b"\x87\x68\xff\x2f\0",
    ]  # fmt: skip
    head = b"MThd\0\0\0\x06\0\0\0\x01\x03\xe8MTrk" + (sum(map(len, told)) + 7).to_bytes(4, "big")
    assert made == head + b"\0\xff\x51\x03\x0f\x42\x40" + b"".join(told)
