"""Seeds are what they were, and noise belongs to a sample and not to its batch."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch

from motion_platform.core.seeding import NoiseSource, seed_everything, seed_of


def test_a_seed_is_63_bits_of_a_sha256_of_its_parts() -> None:
    for parts in ((0, "a", "start"), ("walk", 7), ("",)):
        digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
        assert seed_of(*parts) == int.from_bytes(digest[:8], "little") // 2 < 2**63
    assert seed_of("a", "b") != seed_of("ab")


def test_everything_is_seeded_with_numbers_of_any_size() -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    seed_everything(3)
    first = drawn()
    np.random.seed(3)
    torch.manual_seed(3)
    assert (random.Random(3).random(), np.random.rand(), float(torch.rand(()))) == first
    seed_everything(2**32 + 3)
    large = drawn()
    assert large[1:] == first[1:]  # numpy takes 32 bits, and so does torch on a CPU
    assert large[0] != first[0]


def test_noise_is_of_the_sample_its_seed_and_its_name_alone() -> None:
    noise = NoiseSource(["a", "b"], 5)
    made = noise.normal((20, 3), name="start")
    assert made.shape == (2, 20, 3)
    assert torch.equal(NoiseSource(["b"], 5).normal((20, 3), name="start")[0], made[1])
    for length in (1, 15, 16, 17):  # a longer sample starts with a shorter one's noise
        assert torch.equal(noise.normal((length, 3), name="start"), made[:, :length])
    generator = torch.Generator().manual_seed(seed_of(5, "a", "start"))
    assert torch.equal(made[0], torch.randn((32, 3), generator=generator)[:20])
    assert not torch.equal(noise.normal((20, 3), name="step"), made)
    assert not torch.equal(NoiseSource(["a", "b"], 6).normal((20, 3), name="start"), made)
    assert noise.normal((2,), name="start", device="meta").device.type == "meta"
