"""Token files, cards, and the health report, on an untrained tokenizer of the packaged clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core import cards, config
from motion_platform.core.errors import ConfigError, DataError, UsageError, WeightsError
from motion_platform.core.schema import Motion
from motion_platform.evaluation import passes as evaluate
from motion_platform.evaluation import tokenizer_report
from motion_platform.evaluation.sources import ReconstructionSource
from motion_platform.model.run import Run
from motion_platform.motion import io
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import tokens as tokenize
from motion_platform.training import build


@pytest.fixture(scope="module")
def folder(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small tokenizer with a filled codebook."""
    recipe = config.load_recipe(cards.find("configs", "smoke/vqvae"), [f"data.folder={sample_folder}"])
    run = build.assemble(recipe, name="tiny")
    run.model.trainable.quantiser.books[0].codebook.copy_(torch.randn(32, 16))
    run.model.trainable.quantiser.book._codebook.initted.fill_(True)
    from motion_platform.training import state as checkpoint

    out = tmp_path_factory.mktemp("tokenizer") / "tiny"
    checkpoint.save(run.model, out, recipe, "", step=0)
    return out


@pytest.fixture
def run(folder: Path) -> Run:
    return tokenize.load(str(folder))


@pytest.fixture
def clip(sample_root: Path):
    return io.load_all(next(sample_root.rglob("*.bvh")))[0]


def test_a_motion_goes_into_a_file_and_comes_back_as_decode_says(run: Run, clip, tmp_path: Path) -> None:
    written = tokenize.tokenize(run, [clip, clip])
    path = tmp_path / "tokens.json"
    tokenize.write(path, run, written)
    found = tokenize.read(path)
    assert found.tokenizer == "tiny"
    assert [len(row.ids) for row in found.motions] == [-(-each.frames // 4) for each in written]
    back = tokenize.of_file(found, run, path)
    assert torch.equal(back[1].ids, written[1].ids)
    clips = tokenize.detokenize(run, back)
    assert [len(made) for made in clips] == [each.frames for each in written]
    whole = run.model.trainable.decode(_tokens(written[0].ids))
    from motion_platform.motion.representations import get_representation

    joints = get_representation("humanml3d_essential").decode(whole.x)[0, : written[0].frames]
    np.testing.assert_allclose(clips[0].joints, joints.numpy(), atol=1e-4)


def _tokens(ids: torch.Tensor):
    from motion_platform.core.schema import Tokens

    return Tokens(ids[None], torch.tensor([len(ids)]))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"format": "music"}, DataError, "is no file of tokens"),
        ({"sha256": "0" * 64}, WeightsError, "only by the tokenizer that wrote them"),
        ({"motions": []}, ConfigError, "motions"),
        ({"motions": [{"name": "a", "frames": 4, "ids": [[1, 2]]}]}, DataError, "a step has 1 number"),
        ({"motions": [{"name": "a", "frames": 9, "ids": [[1], [2]]}]}, DataError, "9 frames do not fit 2 steps"),
        ({"motions": [{"name": "a", "frames": 8, "ids": [[1], [32]]}]}, DataError, r"got \[32\]; allowed: 0 to 31"),
        ({"motions": [{"name": "a", "frames": 8, "ids": [[1], [-1]]}]}, DataError, r"got \[-1\]; allowed: 0 to 31"),
        ({"motions": [{"name": "a", "frames": 8, "ids": [[1], [2**70]]}]}, DataError, "allowed: 0 to"),
    ],
)
def test_a_wrong_token_file_is_one_line(run: Run, clip, tmp_path: Path, change: dict, error: type, said: str) -> None:
    path = tmp_path / "tokens.json"
    tokenize.write(path, run, tokenize.tokenize(run, [clip]))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=said) as raised:
        tokenize.detokenize(run, tokenize.of_file(tokenize.read(path), run, path))
    assert "\n" not in str(raised.value)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as tokens"):
        tokenize.read(tmp_path / "x.json")


def test_a_model_of_another_kind_is_no_tokenizer() -> None:
    with pytest.raises(UsageError, match="recogniser, not a motion tokenizer"):
        tokenize.load("recogniser")


@pytest.mark.parametrize("name", cards.names("tokenizers"))
def test_a_card_says_what_its_recipe_trains(name: str, sample_folder: Path) -> None:
    card = tokenize.read_card(name)
    recipe = config.load_recipe(cards.find("configs", card.recipe), [f"data.folder={sample_folder}"])
    assert (card.tokenizer, card.representation) == (name, recipe.representation)
    assert (card.model.name, card.model.settings) == (recipe.model.name, recipe.model.settings)
    made = build.assemble(recipe, name=name).model.trainable
    assert (card.stride, card.codes, card.codebooks) == (made.stride, made.codes, made.codebooks)


@pytest.mark.parametrize("name", cards.names("tokenizers"))
def test_a_shipped_tokenizer_is_the_one_of_its_card_and_small(name: str) -> None:
    from motion_platform.core import weight_files

    if name not in weight_files.shipped():
        assert tokenize.read_card(name).sha256 is None
        with pytest.raises(UsageError, match=f"is not shipped; train it: motion train {name}"):
            tokenize.load(name)
        return
    path = weight_files.find_checkpoint(name) / "model.safetensors"
    assert tokenize.read_card(name).sha256 == weight_files.sha256_of(path)
    assert path.stat().st_size <= 12e6
    assert tokenize.load(name).model.card.name == name


def test_evaluation_measures_what_is_lost(run: Run, sample_folder: Path) -> None:
    from motion_platform.core.config import MetricRecipe

    found = evaluate.measure_run(run, metrics=[MetricRecipe(name="mpjpe")], split="train", samples=3)
    assert found["metrics"]["mpjpe"] > 10  # random codes: real motion against itself would be 0


def test_groups_hold_every_joint_once() -> None:
    groups = tokenizer_report.joint_groups(get_skeleton("humanml3d"))
    assert sorted(j for joints in groups.values() for j in joints) == list(range(22))
    assert len(groups) == 5


class Perfect(ReconstructionSource):
    """Gives every motion back as it is, but one group shifted by a known distance."""

    def predict(self, batch, items, seed):
        x = batch.motion.x[..., self._columns].clone()
        return Motion(x, batch.motion.lengths, self.model.spec)


def test_the_report_agrees_with_counting_by_hand(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = tokenizer_report.report(run, split="train", samples=4, space=None)
    dataset = run.open_data()
    counts = torch.zeros(32)
    rows = sorted(dataset.indices("train"), key=dataset.id)
    for row in [rows[i * len(rows) // 4] for i in range(4)]:
        x = torch.tensor(dataset.features(row, dataset.columns("humanml3d_essential")))
        ids = run.model.trainable.encode(Motion(x[None], torch.tensor([len(x)]), run.model.spec)).ids[0, :, 0]
        counts += torch.bincount(ids, minlength=32)
    share = counts[counts > 0].numpy() / counts.sum().item()
    assert result["steps"] == [counts.sum().item()]
    assert result["dead"] == [pytest.approx((counts == 0).float().mean().item())]
    assert result["perplexity"] == [pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-5)]
    sizes = {name: len(joints) for name, joints in tokenizer_report.joint_groups(get_skeleton("humanml3d")).items()}
    weighted = sum(result["mpjpe_of"][name] * size for name, size in sizes.items()) / 22
    assert weighted == pytest.approx(result["mpjpe"])
    assert "perplexity" in tokenizer_report.lines(result)[1]
    assert result["refused"] == {}
    monkeypatch.setattr(tokenizer_report, "ReconstructionSource", Perfect)
    assert tokenizer_report.report(run, split="train", samples=2, space=None)["mpjpe"] == 0


def test_a_resumed_codebook_goes_on_bit_for_bit(sample_folder: Path, tmp_path: Path, train_until) -> None:
    """The codebook is no parameter: it must be in what is saved to go on, with how often its codes were used."""
    from safetensors.torch import load_file

    from motion_platform.training import train

    def recipe(output: str):
        options = [f"data.folder={sample_folder}", f"output={tmp_path / output}", "train.steps=5", "validation.every=0"]
        return config.load_recipe(cards.find("configs", "smoke/vqvae"), options)

    whole = load_file(train.run(recipe("whole"), "whole", device="cpu", quiet=True) / "model.safetensors")
    train_until(recipe("part"), "part", 2)
    half = load_file(tmp_path / "part" / "model.safetensors")
    resumed = load_file(train.run(recipe("part"), "part", resume=True, device="cpu", quiet=True) / "model.safetensors")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    books = [name for name in whole if name.endswith("_codebook.embed")]
    assert books
    assert not any(torch.equal(whole[name], half[name]) for name in books)


def test_a_space_with_too_few_clips_is_said_and_not_an_error(run: Run) -> None:
    result = tokenizer_report.report(run, split="train", samples=3, space="text_motion")
    assert "frechet" in result["refused"]
    assert "frechet is not measured" in tokenizer_report.lines(result)[-1]


def test_of_a_group_alone_the_other_joints_stay_the_real_ones(run: Run) -> None:
    from motion_platform.evaluation.testset import TestSet
    from motion_platform.motion.representations import get_representation

    columns = get_representation("humanml3d_essential").columns([1, 4])
    source = tokenizer_report.PartlyReconstructed(ReconstructionSource(run.model), "some", columns)
    test = TestSet(run.open_data(), "train", 2)
    source.prepare(test, 0, 1)
    items = test.batches[0]
    batch = test.batch(items, ())
    made = source.predict(batch, items, 0)
    same = (made.x == batch.motion.x[..., :67]).all(0).all(0)
    wanted = torch.ones(67, dtype=torch.bool)
    wanted[columns] = False
    assert torch.equal(same, wanted)


def test_tokens_of_a_tokenizer_that_is_not_here_say_what_to_give(
    run: Run, clip, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from motion_platform.cli import app as cli

    path = tmp_path / "tokens.json"
    tokenize.write(path, run, tokenize.tokenize(run, [clip]))
    monkeypatch.setattr("sys.argv", ["motion", "detokenize", str(path), "-o", str(tmp_path / "out.bvh")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "was written by tiny, which is no shipped model; give its folder with --tokenizer" in said
    assert not (tmp_path / "out.bvh").exists()


def test_a_tokenizer_of_kits_body_reads_any_motion(sample_folder: Path, clip, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    recipe = config.load_recipe(cards.find("configs", "smoke/kit_vqvae"), [f"data.folder={sample_folder}"])
    run = build.assemble(recipe, name="kit")
    (written,) = tokenize.tokenize(run, [clip])
    (made,) = tokenize.detokenize(run, [written])
    assert (made.skeleton.name, made.fps) == ("kit", 12.5)
    assert len(made) == written.frames == int((len(clip) - 1) / clip.fps * 12.5 + 1e-6)
    result = tokenizer_report.report(run, split="train", samples=3, space="text_motion")
    assert result["mpjpe"] > 0
    assert "space text_motion sees skeleton humanml3d, these motions have kit" in tokenizer_report.lines(result)[-1]
