"""The published gesture recipes: their weights counted one by one, and a step of each on ZeroEGGS's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from motion_platform.core import cards, config, registry
from motion_platform.core.schema import MotionSpec
from motion_platform.model.conditioning import Conditioning
from motion_platform.model.run import load_run
from motion_platform.motion.representations import get_representation
from motion_platform.pipelines import generate
from motion_platform.training import train

COUNTS = {"diffuse_style_gesture": 9_001_781, "ohgesture": 9_021_045}
"""Recipe -> weights that the published code's own network has, as torch counts them."""
WIDTHS = {"hf_audio": 1024, "word_vectors": 300, "label": 6}
SMALL = {
    "width": 8, "latent": 32, "layers": 1, "heads": 2, "feed_forward": 32, "local_heads": 2, "sampler": "ddim",
    "sample_steps": 2,
}  # fmt: skip


class StandIn(nn.Module):
    frozen, reads = True, "audio"

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def fingerprint(self) -> str:
        return f"stand-in {self.dim}"


@pytest.mark.parametrize("name", COUNTS)
def test_the_weights_are_the_published_ones_to_the_last(name: str) -> None:
    recipe = config.load_recipe(cards.find("configs", f"published/{name}"))
    chosen = get_representation(recipe.representation)
    nothing = torch.zeros(chosen.dim), torch.ones(chosen.dim)
    spec = MotionSpec(chosen.name, chosen.skeleton.name, chosen.fps, *nothing, chosen.units)
    given = {"spec": spec, "slots": tuple(recipe.slots)}
    with torch.device("meta"):
        model = registry.build("generators", recipe.model.name, recipe.model.settings, given=given)
        encoders = {slot: StandIn(WIDTHS[each.encoder]) for slot, each in recipe.slots.items()}
        conditioning = Conditioning(encoders, model.width, {})
    counted = sum(p.numel() for part in (model, conditioning) for p in part.parameters())
    own = model.width * len(recipe.slots)  # a null token a slot, where the published code has zeros
    assert counted - own == COUNTS[name]
    assert recipe.data.max_frames == model.max_frames == 88


def one_step(name: str, folder: Path, out: Path, table: Path) -> Path:
    place = cards.find("configs", f"published/{name}")
    changes = [f"data.folder={folder}", f"output={out / 'run'}", "train.steps=1", "train.batch_size=3"]
    changes += [f"model.settings.{key}={value}" for key, value in SMALL.items()]
    changes += ["slots.speech.encoder=music_mel", "slots.speech.settings={channels: [2, 2, 2], dim: 8}"]
    if name == "ohgesture":
        changes.append(f"slots.transcript.settings.vectors={table}")
    return train.run(config.load_recipe(place, changes), name, device="cpu", quiet=True)


@pytest.mark.parametrize("name", COUNTS)
def test_a_step_on_the_published_layout_and_speech_into_a_body_with_fingers(
    name: str, gesture_folder: Path, tmp_path: Path
) -> None:
    import soundfile

    table = tmp_path / "words.vec"
    table.write_text("2 4\nme 1 0 0 2\ntoo 0 1 0 1\n")
    run = load_run(one_step(name, gesture_folder, tmp_path, table))
    assert run.model.card.step == 1
    assert (run.model.spec.representation, run.model.spec.dim) == ("zeggs", 1141)
    talk = tmp_path / "talk.wav"
    soundfile.write(talk, np.random.default_rng(0).normal(0, 0.1, round(7.3 * 16_000)), 16_000)
    give = {"speech": [talk], "emotion": ["happy:0.7,angry:0.3"]}
    if name == "ohgesture":
        give["transcript"] = ["me too"]
    given, count = generate.inputs_of(run, give=give)
    (clip,) = generate.make(run, given, count=count)
    assert len(clip) == 146  # every frame of 7.3 s
    assert clip.rotations is not None
    assert clip.skeleton.name == "zeggs"
    assert clip.audio == talk
    assert clip.info["emotion"] == "happy:0.7,angry:0.3"
    if name == "ohgesture":
        assert [text for text, _, _ in clip.words] == ["me", "too"]
    written = clip.save(tmp_path / "talk.bvh") + clip.save(tmp_path / "talk.glb")
    assert all(path.stat().st_size > 0 for path in written)
