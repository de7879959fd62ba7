"""The tempo scale of the network that hears beats, held to its definition."""

from __future__ import annotations

import math

import torch

from motion_platform.nn.beat_network import FASTEST, SLOWEST, TEMPI, tempo_class


def test_the_scale_of_tempi_is_even_in_the_logarithm_and_held_at_its_ends() -> None:
    places = tempo_class(torch.tensor([FASTEST, math.sqrt(FASTEST * SLOWEST), SLOWEST, FASTEST / 2, SLOWEST * 2]))
    last = TEMPI - 1
    torch.testing.assert_close(places, torch.tensor([0, last / 2, last, 0, last]), atol=1e-4, rtol=0)
