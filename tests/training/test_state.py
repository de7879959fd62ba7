from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from motion_platform.core.errors import ConfigError, OutputError, UnknownName, WeightsError
from motion_platform.model.motion_model import CARD, WEIGHTS, MotionModel
from motion_platform.model.run import Run, load_run
from motion_platform.training import build
from motion_platform.training import state as checkpoint


@pytest.fixture
def saved(recipe, tmp_path: Path) -> tuple[Run, Path]:
    made = recipe()
    run = build.assemble(made, name="toy")
    checkpoint.save(run.model, tmp_path / "model", made, "# command\n", step=7)
    run.model.eval()
    return run, tmp_path / "model"


def motion_of(model: MotionModel) -> torch.Tensor:
    return model.generate({"text_high": ["a person walks"]}, [30], ["a"], seed=3).x


def test_a_model_comes_back_as_it_was(saved) -> None:
    run, folder = saved
    back = load_run(folder)
    assert torch.equal(motion_of(run.model), motion_of(back.model))
    assert torch.equal(run.model.spec.mean, back.model.spec.mean)
    assert torch.equal(run.model.spec.std, back.model.spec.std)
    assert (back.task.task, back.seed, back.model.card.step) == ("text_to_motion", run.seed, 7)
    assert not back.model.training
    assert (folder / "recipe.yaml").read_text().startswith("# command\ntask: text_to_motion")


def test_half_precision_halves_the_file_and_keeps_the_statistics(saved, tmp_path: Path) -> None:
    run, folder = saved
    run.model.save_pretrained(tmp_path / "half", dtype="float16")
    assert (tmp_path / "half" / WEIGHTS).stat().st_size < 0.6 * (folder / WEIGHTS).stat().st_size
    back = MotionModel.from_pretrained(tmp_path / "half")
    assert torch.equal(back.spec.std, run.model.spec.std)
    assert torch.allclose(motion_of(back), motion_of(run.model), atol=0.05)
    weight = next(p for p in run.model.trainable.parameters() if p.ndim == 2)
    weight.data[0, 0] = 1e6
    with pytest.raises(WeightsError, match="not finite in float16"):
        run.model.save_pretrained(tmp_path / "half", dtype="float16")
    MotionModel.from_pretrained(tmp_path / "half")  # what was there is untouched


def test_a_changed_weight_file_is_refused(saved) -> None:
    _, folder = saved
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(WeightsError, match=r"model\.safetensors: .* sha256 is .* was changed or is incomplete"):
        load_run(folder)
    (folder / WEIGHTS).write_bytes(data[:100])
    with pytest.raises(WeightsError, match="sha256"):
        load_run(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match="is missing"):
        load_run(folder)


def edit_card(folder: Path, **changes: object) -> None:
    card = yaml.safe_load((folder / CARD).read_text())
    (folder / CARD).write_text(yaml.safe_dump(card | changes))


def put_weights(folder: Path, tensors: dict) -> None:
    """Write other weights with a card that vouches for them."""
    import hashlib

    save_file(tensors, folder / "other")  # moved: what was loaded may still be read from the old file's pages
    (folder / "other").replace(folder / WEIGHTS)
    card = yaml.safe_load((folder / CARD).read_text())
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    edit_card(folder, weights=card["weights"] | {"sha256": digest})


def test_weights_of_another_model_are_refused(saved) -> None:
    _, folder = saved
    tensors = load_file(folder / WEIGHTS)
    name = next(n for n in tensors if n.startswith("trainable."))
    put_weights(folder, {n: t for n, t in tensors.items() if n != name})
    with pytest.raises(WeightsError, match=f"lacks {name}"):
        load_run(folder)
    put_weights(folder, tensors | {"extra": torch.zeros(1)})
    with pytest.raises(WeightsError, match="foreign tensor extra"):
        load_run(folder)
    put_weights(folder, tensors | {name: torch.zeros(1, 2, 3, 4)})
    with pytest.raises(WeightsError, match="in another shape"):
        load_run(folder)
    put_weights(folder, {n: t for n, t in tensors.items() if not n.startswith("spec.")})
    with pytest.raises(WeightsError, match="is not a weight file of this kind"):
        load_run(folder)


def test_another_version_or_a_broken_card_is_refused(saved) -> None:
    _, folder = saved
    good = (folder / CARD).read_text()
    edit_card(folder, format=3)
    with pytest.raises(WeightsError, match="checkpoint format 3; this version"):
        load_run(folder)
    (folder / CARD).write_text("just words")
    with pytest.raises(WeightsError, match="checkpoint format str"):
        load_run(folder)
    (folder / CARD).write_text("a: [")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_run(folder)
    (folder / CARD).write_text(good)
    edit_card(folder, surprise=1)
    with pytest.raises(ConfigError, match="unknown key 'surprise'"):
        load_run(folder)


def test_a_card_cannot_call_anything(saved) -> None:
    _, folder = saved
    card = yaml.safe_load((folder / CARD).read_text())
    edit_card(folder, model=card["model"] | {"name": "os:system"})
    with pytest.raises(UnknownName, match="unknown generator 'os:system'"):
        load_run(folder)
    (folder / CARD).write_text("!!python/object/apply:os.getcwd []")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_run(folder)


def test_another_encoder_than_in_training_is_refused(saved, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = saved
    import motion_plugin_example

    monkeypatch.setattr(motion_plugin_example.LettersEncoder, "fingerprint", lambda self: "another alphabet")
    with pytest.raises(WeightsError, match="slot text_high was trained with encoder"):
        load_run(folder)


def test_a_full_disk_leaves_the_old_model_whole(saved, monkeypatch: pytest.MonkeyPatch) -> None:
    run, folder = saved
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    next(run.model.trainable.parameters()).data.add_(1)
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "model.yaml" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        run.model.save_pretrained(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises((WeightsError, UnknownName), match="empty"):
        load_run(tmp_path / "empty")
    with pytest.raises(UnknownName, match="unknown model 'text_to_motion_tiny'"):
        load_run("text_to_motion_tiny")


def test_the_settings_in_the_card_are_plain(saved) -> None:
    _, folder = saved
    card = yaml.safe_load((folder / CARD).read_text())
    assert json.loads(json.dumps(card)) == card


def test_a_task_card_of_ones_own_travels_with_the_model(own_task, own_recipe, tmp_path: Path) -> None:
    from motion_platform.pipelines import generate

    card = own_task("text: text")
    made = own_recipe(card, "text")
    run = build.assemble(made, name="mine")
    checkpoint.save(run.model, tmp_path / "model", made, "", step=1)
    card.unlink()
    back = load_run(tmp_path / "model")
    assert back.task == run.task
    assert back.task.reads == {"text": "text"}
    assert generate.load("my_task", str(tmp_path / "model")).task == run.task
    edit_card(tmp_path / "model", task_card=run.task.model_dump() | {"metrics": [{"name": "nope"}]})
    with pytest.raises(UnknownName, match=r"task_card: metrics\.0\.name: unknown metric 'nope'"):
        load_run(tmp_path / "model")


def test_a_card_that_is_found_by_name_is_read_from_there(saved) -> None:
    assert yaml.safe_load((saved[1] / CARD).read_text())["task_card"] is None


@pytest.mark.parametrize("spec", [{}, {"representation": 3}])
def test_a_card_without_its_spec_is_refused(saved, spec: dict) -> None:
    edit_card(saved[1], spec=spec)
    with pytest.raises(ConfigError, match=r"spec: .*representation is missing or of the wrong kind"):
        load_run(saved[1])
