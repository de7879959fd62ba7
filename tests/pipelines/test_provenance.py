"""What a clip that a model made says of itself."""

from __future__ import annotations

from types import SimpleNamespace

from motion_platform.pipelines.provenance import provenance


def test_model_seed_and_the_licence_that_goes_with_the_weights() -> None:
    before = {"licence": "CC BY-NC 4.0"}
    card = SimpleNamespace(name="walker", data={"licence": "CC BY 4.0", "initial": {"data": before}})
    said = provenance(SimpleNamespace(model=SimpleNamespace(card=card)), 7)
    assert (said["model"], said["seed"]) == ("walker", 7)
    assert "CC BY-NC 4.0" in said["licence"]  # the weights that it began with count too
    assert set(said) == {"model", "seed", "licence"}
