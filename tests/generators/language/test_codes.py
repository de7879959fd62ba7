"""The motion tokenizer under a generator of codes: found or built, frozen, outside the weights where it has a name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from motion_platform.core.errors import ConfigError, UnknownName
from motion_platform.core.schema import MotionSpec, Tokens
from motion_platform.generators.language.codes import CodeGenerator, code_features, find_tokenizer

UNTRAINED = {"name": "vqvae", "settings": {"codes": 8, "code_width": 4, "width": 8, "depth": 1}}


class Writer(CodeGenerator):
    """Nothing but a tokenizer and one weight."""

    def __init__(self, tokenizer, spec: MotionSpec) -> None:
        super().__init__()
        self.spec, self.slots, self.width = spec, (), 1
        self.set_tokenizer(tokenizer, spec)
        self.weight = nn.Parameter(torch.zeros(1))

    def loss(self, batch, given):
        raise NotImplementedError

    def generate(self, given, lengths, *, noise, sampling, edit=None):
        raise NotImplementedError


@pytest.fixture(scope="module")
def trained_spec() -> MotionSpec:
    """Of the shipped tokenizer, with statistics of its own that do not matter."""
    found, _ = find_tokenizer("vq_humanml22", spec_like("vq_humanml22"))
    return found.spec


def spec_like(name: str) -> MotionSpec:
    from motion_platform.core.checkpoint_files import checkpoint_part

    card, _ = checkpoint_part(name, "")
    words = {key: card.spec[key] for key in ("representation", "skeleton", "fps", "units")}
    return MotionSpec(**words, mean=torch.zeros(card.spec["dim"]), std=torch.ones(card.spec["dim"]))


def test_a_named_tokenizer_is_frozen_has_its_own_statistics_and_stays_outside(trained_spec: MotionSpec) -> None:
    model = Writer("vq_humanml22", spec_like("vq_humanml22"))
    assert set(model.state_dict()) == {"weight"}
    assert [name for name, _ in model.named_parameters()] == ["weight"]
    assert not any(p.requires_grad for p in model.tokenizer.parameters())
    assert not model.tokenizer.training
    assert torch.equal(model.tokenizer.spec.mean, trained_spec.mean)
    assert float(model.tokenizer.spec.mean.abs().max()) > 0  # not the zeros it was asked with
    ((kind, sha256),) = model.fingerprints().items()
    assert (kind, len(sha256)) == ("motion tokenizer", 64)


def test_an_untrained_tokenizer_is_part_of_the_weights(make) -> None:
    model = Writer(UNTRAINED, make.spec())
    assert {name.partition(".")[0] for name in model.state_dict()} == {"weight", "own_tokenizer"}
    assert model.fingerprints() == {}
    assert model.tokenizer.codes == 8
    model.train()
    assert model.training
    assert not model.tokenizer.training


def test_the_tokenizer_follows_to_another_type(make) -> None:
    model = Writer("vq_humanml22", spec_like("vq_humanml22")).double()
    assert {p.dtype for p in model.tokenizer.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"fps": 30.0}, "has fps 20.0, this model 30.0"), ({"skeleton": "zeggs"}, "has skeleton 'humanml3d'")],
)
def test_a_tokenizer_of_another_kind_of_motion_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_tokenizer("vq_humanml22", replace(spec_like("vq_humanml22"), **change))


def test_what_is_no_tokenizer_is_refused(make) -> None:
    with pytest.raises(ConfigError, match=r"text_to_motion_small is a .*, no motion tokenizer"):
        find_tokenizer("text_to_motion_small", make.spec())
    with pytest.raises(ConfigError, match=r"tokenizer: got keys \['name', 'weights'\]"):
        find_tokenizer({"name": "vqvae", "weights": 1}, make.spec())
    with pytest.raises(UnknownName, match="vqvea"):
        find_tokenizer({"name": "vqvea"}, make.spec())


class Table:
    """A tokenizer of two codebooks: a code is a row of a table, and frames of a step are told apart by their place."""

    codebooks, codes, stride = 2, 4, 3

    def __init__(self, dim: int = 5) -> None:
        self.table = torch.randn(self.codebooks, self.codes, dim)
        self.place = torch.tensor([1.0, -2.0, 0.5])
        self.spec = SimpleNamespace(normalise=lambda x: 2 * x + 1)

    def decode(self, tokens: Tokens) -> SimpleNamespace:
        rows = sum(self.table[q][tokens.ids[..., q]] for q in range(self.codebooks))
        frames = rows.repeat_interleave(self.stride, 1) * self.place.repeat(tokens.ids.shape[1])[None, :, None]
        edge = torch.full_like(frames[:, :1], 100.0)  # what lies beside the middle step is not to be seen
        return SimpleNamespace(x=torch.cat([edge, frames[:, 1:-1], edge], 1))


def test_features_are_the_middle_step_of_a_motion_of_one_code() -> None:
    tokenizer = Table()
    seen = code_features(tokenizer)
    assert seen.shape == (8, 15)
    for q in range(2):
        others = tokenizer.table[1 - q][0]  # the other codebook is at code 0
        raw: Tensor = 2 * (tokenizer.table[q] + others)[:, None] * tokenizer.place[None, :, None] + 1
        rows = raw.reshape(4, 15)
        wanted = (rows - rows.mean(0)) / rows.std(0)
        assert torch.allclose(seen[4 * q : 4 * q + 4], wanted, atol=1e-4)
