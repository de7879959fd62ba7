from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from motion_platform.core.catalog import CATALOG
from motion_platform.core.config import ModelFile
from motion_platform.core.contracts import Encoder, Generator
from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.model import motion_model as model_module
from motion_platform.model.motion_model import FORMAT, MotionModel


class Initials(Encoder):
    """A trained encoder: an embedding of a text's first letter."""

    reads, dim = "text", 4

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.frozen = frozen
        self.table = nn.Embedding(128, 4)

    def forward(self, raw: Sequence[str]) -> Condition:
        tokens = self.table(torch.tensor([ord(text[0]) % 128 for text in raw]))[:, None]
        return Condition(tokens, torch.ones(len(raw), 1, dtype=torch.bool))

    def fingerprint(self) -> str:
        return "initials"


class Shift(Generator):
    """Noise plus a linear function of the condition."""

    def __init__(self, spec: MotionSpec, slots: Sequence[str], *, width: int = 8) -> None:
        super().__init__()
        self.spec, self.slots, self.width = spec, tuple(slots), width
        self.out = nn.Linear(width, spec.dim)

    def shift(self, given: Mapping[str, Condition]) -> Tensor:
        return sum(self.out((c.tokens * c.mask[..., None]).sum(1)) for c in given.values())

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        return {"loss": ((self.shift(given)[:, None] - batch.motion.x) ** 2).mean()}

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling,
        edit: Edit | None = None,
    ) -> Motion:
        x = noise.normal((int(lengths.max()), self.spec.dim), name="x") + self.shift(given)[:, None]
        return Motion(x, lengths, self.spec)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch):
    """Build a model of the two classes above."""
    module = types.ModuleType("tiny_components")
    module.Initials, module.Shift = Initials, Shift
    monkeypatch.setitem(sys.modules, "tiny_components", module)
    monkeypatch.setitem(CATALOG["encoders"], "initials", "tiny_components:Initials")
    monkeypatch.setitem(CATALOG["generators"], "shift", "tiny_components:Shift")

    def make(frozen: bool = False) -> MotionModel:
        slot = {"encoder": "initials", "settings": {"frozen": frozen}, "dropout": 0.0}
        spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(67), torch.ones(67))
        card = ModelFile(
            format=FORMAT, name="tiny", task="text_to_motion", motion_platform="0", model={"name": "shift"},
            slots={"text_high": slot, "text_low": slot}, spec=spec.to_dict(),
        )  # fmt: skip
        return model_module.build(card, spec)

    return make


def batch(spec: MotionSpec) -> Batch:
    motion = Motion(torch.randn(2, 5, 67), torch.tensor([5, 3]), spec)
    return Batch(["a", "b"], {"text_high": ["walk", ""], "text_low": ["", "run"]}, motion.lengths, motion)


def test_forward_gives_losses_and_gradients_reach_everything_that_is_trained(built) -> None:
    model = built()
    losses = model(batch(model.spec))
    losses["loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_frozen_encoders_are_shared_and_trained_ones_are_not(built) -> None:
    frozen, trained = built(frozen=True).conditioning.encoders, built().conditioning.encoders
    assert frozen["text_high"] is frozen["text_low"]
    assert trained["text_high"] is not trained["text_low"]


def test_a_checkpoint_holds_trained_encoders_but_not_frozen_ones(built, tmp_path: Path) -> None:
    model = built()
    model.save_pretrained(tmp_path / "trained")
    assert sum("table" in name for name in model.own_state()) == 2
    assert not [name for name in built(frozen=True).own_state() if "table" in name]
    back = MotionModel.from_pretrained(tmp_path / "trained")
    for name, value in model.own_state().items():
        assert torch.equal(back.own_state()[name], value)


def test_generate_takes_any_part_of_the_slots_and_refuses_others(built) -> None:
    model = built().eval()
    full = model.generate({"text_high": ["walk"], "text_low": [None]}, [4], ["a"], seed=1).x
    assert torch.equal(full, model.generate({"text_high": ["walk"]}, [4], ["a"], seed=1).x)
    assert not torch.equal(full, model.generate({}, [4], ["a"], seed=1).x)
    assert not torch.equal(full, model.generate({"text_high": ["walk"]}, [4], ["b"], seed=1).x)
    with pytest.raises(UsageError, match="no condition 'text_hihg'; did you mean 'text_high'"):
        model.generate({"text_hihg": ["walk"]}, [4], ["a"])


def test_guidance_weighs_the_conditions_and_what_a_generator_makes_of_them(built) -> None:
    model = built()
    assert model.guided == ["text_high", "text_low"]
    model.trainable.links = ("labels",)
    assert model.guided == ["labels", "text_high", "text_low"]


def test_a_row_does_not_depend_on_its_batch(built) -> None:
    model = built().eval()
    many = model.generate({"text_high": ["walk", "run", "x"]}, [4, 4, 4], ["a", "b", "c"], seed=1).x
    alone = model.generate({"text_high": ["run"]}, [4], ["b"], seed=1).x
    assert torch.allclose(many[1], alone[0], atol=1e-6)


def test_push_to_hub_uploads_a_whole_checkpoint(built, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    seen: dict[str, object] = {}

    class Hub:
        def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> None:
            seen["made"] = (name, private, exist_ok)

        def upload_folder(self, *, repo_id: str, folder_path: str) -> str:
            seen["files"] = sorted(path.name for path in Path(folder_path).iterdir())
            return f"hub/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    assert built().push_to_hub("me/tiny", private=True) == "hub/me/tiny"
    assert seen == {"made": ("me/tiny", True, True), "files": ["README.md", "model.safetensors", "model.yaml"]}
