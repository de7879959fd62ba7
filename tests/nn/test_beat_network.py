"""The network that hears beats: its scale of tempi by definition, its sizes, and that the shipped weights hear what
they heard."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from stored_arrays import check_stored

from motion_platform.audio.bar_pointer import Pointer, lengths, nearest
from motion_platform.core.errors import UsageError
from motion_platform.encoders.music_beats import load
from motion_platform.nn.beat_network import (
    FASTEST,
    METRES,
    SLOWEST,
    TEMPI,
    BeatNetwork,
    Block,
    Heard,
    hints,
    read,
    tempo_class,
)


@pytest.fixture(scope="module")
def shipped() -> BeatNetwork:
    return load("beat_tracker")[0].eval()


def test_the_scale_of_tempi_is_even_in_the_logarithm_and_held_at_its_ends() -> None:
    places = tempo_class(torch.tensor([FASTEST, math.sqrt(FASTEST * SLOWEST), SLOWEST, FASTEST / 2, SLOWEST * 2]))
    last = TEMPI - 1
    torch.testing.assert_close(places, torch.tensor([0, last / 2, last, 0, last]), atol=1e-4, rtol=0)


def test_the_shipped_weights_hear_what_they_heard_and_have_the_usual_sizes(shipped: BeatNetwork) -> None:
    wanted = {name: tensor.shape for name, tensor in BeatNetwork().state_dict().items()}
    assert {name: tensor.shape for name, tensor in shipped.state_dict().items()} == wanted
    assert {block.drop.p for block in BeatNetwork().blocks} == {0.1}
    time, band = np.arange(901) / 90, np.arange(128)  # one frame too many for whole steps
    click = np.exp(-(time[:, None] % 0.5) / 0.05) * (0.5 + 0.5 * np.cos(band / 17))
    mel = torch.from_numpy(np.clip(0.1 + click * np.where(time % 2 < 0.5, 0.9, 0.6)[:, None], 0, 1)).float()[None]
    mask = torch.ones(mel.shape[:2], dtype=torch.bool)
    mask[:, 841:] = False  # its last step is unreal at its middle frame alone
    with torch.no_grad():
        heard, short = shipped(mel, mask), shipped(mel[:, :2], mask[:, :2])
    assert heard.beat.shape == (1, 300)
    assert short.tempo.shape == (1, 1, TEMPI)
    found = read(heard, 0, 280)
    assert nearest(np.arange(0.5, 9, 0.5), found.times).max() < 0.04
    every = slice(None, None, 10)
    made = {"beat": heard.beat[0], "bar": heard.bar[0], "tempo": heard.tempo[0, every], "metre": heard.metre[0, every]}
    made |= {"short": torch.cat([short.beat, short.bar, short.tempo[0], short.metre[0]], -1)}
    check_stored("beat_network", {name: values.numpy() for name, values in made.items()}, atol=2e-3)


def test_what_was_heard_is_read_on_the_scale_of_the_pointer() -> None:
    """A tempo that lies between two classes is heard in both; of the metres those that the pointer asks for."""
    period = 0.6
    time = (np.arange(600) + 0.5) / 30
    beats = np.arange(0.3, 19.8, period)
    beat = torch.from_numpy(np.where(nearest(time, beats) < 0.02, 4.0, -4.0))[None]
    bar = torch.from_numpy(np.where(nearest(time, beats[::2]) < 0.1, 3.0, -3.0))[None]
    tempo, metre = torch.zeros(1, 600, TEMPI), torch.zeros(1, 600, len(METRES))
    tempo[..., int(tempo_class(torch.tensor(period)))] = 5
    metre[..., METRES.index(2)] = 9
    heard = Heard(beat, bar, tempo, metre)
    found = read(heard, 0, 600, Pointer(metres=(2, 3)))
    assert nearest(beats, found.times).max() < 0.03
    assert (found.metre == 2).all()
    assert read(heard, 0, 300).times.max() < 10
    with pytest.raises(UsageError, match="metre 5; the network tells 1, 2, 3, 4, 6 apart"):
        read(heard, 0, 600, Pointer(metres=(2, 5)))


def test_a_block_drops_whole_channels_and_keeps_padding_out() -> None:
    block = Block(6, 3, 2, 0.5)
    torch.nn.init.eye_(block.out.weight[..., 0].data)
    torch.nn.init.zeros_(block.out.bias)
    h, mask = torch.randn(1, 6, 9), torch.ones(1, 1, 9)
    added = block(h, mask) - h
    kept = [bool(channel.any()) for channel in added[0].detach()]
    assert 0 < sum(kept) < 6
    assert all(channel.all() for channel, k in zip(added[0], kept, strict=True) if k)
    block.eval()
    mask[..., 6:] = 0
    torch.testing.assert_close(block(h, mask)[..., :6], block(h[..., :6], mask[..., :6]))
    assert torch.equal(block(h, mask)[..., 6:], h[..., 6:])


def test_the_least_sizes_and_those_that_cannot_be() -> None:
    mel, mask = torch.rand(1, 9, 128), torch.ones(1, 9, dtype=torch.bool)
    assert BeatNetwork(1, 1, 1, 1).eval()(mel, mask).beat.shape == (1, 3)
    for sizes in ((0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 2)):
        with pytest.raises(ValueError, match=r"kernel \d must be odd"):
            BeatNetwork(*sizes)


@pytest.mark.parametrize(("frames", "steps"), [(1, 1), (3, 1), (5, 1), (6, 2), (8, 2)])
def test_what_is_left_over_of_a_step_is_cut_and_less_than_one_is_one(frames: int, steps: int) -> None:
    mel, mask = torch.rand(1, frames, 128), torch.ones(1, frames, dtype=torch.bool)
    assert BeatNetwork(1, 1, 1, 1).eval()(mel, mask).beat.shape == (1, steps)


def test_long_music_is_listened_to_a_minute_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded memory: pieces of ``CHUNK`` frames and a margin on either side; in training all at once."""
    network, seen = BeatNetwork(1, 1, 1, 1).eval(), []
    listen = network._listen
    monkeypatch.setattr(network, "_listen", lambda mel, mask: seen.append(mel.shape[1]) or listen(mel, mask))
    monkeypatch.setattr("motion_platform.nn.beat_network.CHUNK", 30)
    for frames, pieces in ((42, [42]), (45, [36, 21]), (90, [36, 42, 36])):
        seen.clear()
        whole = network.listen(torch.rand(1, frames, 128), torch.ones(1, frames, dtype=torch.bool))
        assert (seen, whole.shape[-1]) == (pieces, frames // 3)
    seen.clear()
    network.train().listen(torch.rand(1, 90, 128), torch.ones(1, 90, dtype=torch.bool))
    assert seen == [90]


def test_music_in_pieces_is_heard_as_music_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the two-dimensional part and what needs no learning look a little beyond each piece."""
    torch.manual_seed(0)
    network = BeatNetwork(3, 4, 1, 3).eval()
    mel, mask = torch.rand(2, 240, 128), torch.ones(2, 240, dtype=torch.bool)
    mask[1, 200:] = False
    with torch.no_grad():
        whole, told = network.listen(mel, mask), hints(mel)
        monkeypatch.setattr("motion_platform.nn.beat_network.CHUNK", 30)
        torch.testing.assert_close(network.listen(mel, mask), whole)
        torch.testing.assert_close(hints(mel), told)


def test_more_than_a_minute_is_heard_as_it_is_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, mel = BeatNetwork(1, 1, 1, 1).eval(), torch.rand(1, 5400 + 30, 128)
    mask = torch.ones(1, 5400 + 30, dtype=torch.bool)
    with torch.no_grad():
        heard, told = network.listen(mel, mask), hints(mel)
        monkeypatch.setattr("motion_platform.nn.beat_network.CHUNK", 9000)
        torch.testing.assert_close(heard, network.listen(mel, mask))
        torch.testing.assert_close(told, hints(mel))


@pytest.mark.parametrize("scale", [(0.251, 2.4), (0.31, 2.2), (0.2, 3.0)])
def test_a_length_between_two_classes_of_tempo_is_as_likely_as_a_straight_line_between_them(scale, monkeypatch) -> None:
    """Held at both ends of the scale; the whole table, against numpy's interpolation."""
    given = {}
    monkeypatch.setattr(
        "motion_platform.nn.beat_network.decode",
        lambda beat, bar, rate, pointer, **told: given.update(beat=beat, bar=bar, **told),
    )
    random = torch.Generator().manual_seed(0)
    sizes = {"beat": (2, 9), "bar": (2, 9), "tempo": (2, 9, TEMPI), "metre": (2, 9, len(METRES))}
    heard = Heard(**{name: torch.randn(*size, generator=random) for name, size in sizes.items()})
    pointer = Pointer(fastest=scale[0], slowest=scale[1], metres=(3, 2))
    read(heard, 1, 7, pointer)
    seconds = lengths(30.0, pointer) / 30
    assert seconds.min() < FASTEST * 1.3
    place = np.clip(np.log(seconds / FASTEST) / math.log(SLOWEST / FASTEST), 0, 1) * (TEMPI - 1)
    tempo = heard.tempo[1, :7].log_softmax(1).numpy()
    wanted = np.stack([np.interp(place, np.arange(TEMPI), row) for row in tempo])
    np.testing.assert_allclose(given["tempo"], wanted, atol=2e-4)
    metre = heard.metre[1, :7][:, [2, 1]]
    torch.testing.assert_close(torch.from_numpy(given["metre"]), metre - metre.exp().sum(1, keepdim=True).log())
    torch.testing.assert_close(torch.from_numpy(given["beat"]), 1 / (1 + (-heard.beat[1, :7]).exp()))
    torch.testing.assert_close(torch.from_numpy(given["bar"]), 1 / (1 + (-heard.bar[1, :7]).exp()))
