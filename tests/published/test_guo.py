"""The official evaluator as a checkpoint: the same numbers as from its own files, and wrong files refused."""

import pickle

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from motion_platform.cli.app import app
from motion_platform.core.errors import UsageError, WeightsError
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.model.motion_model import MotionModel
from motion_platform.published import guo as published
from motion_platform.spaces.guo import PARTS, Guo


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Everything in the published format and sizes, with random weights."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    spec = MotionSpec("humanml3d", "humanml3d", 20.0, torch.zeros(263), torch.ones(263))
    space = Guo(spec, ("text",)).eval()
    saved = {part: getattr(space, part).state_dict() for part in PARTS}
    torch.save({**saved, "epoch": 1, "iter": 2}, folder / "finest.tar")
    words = ["sos", "eos", "unk", "a", "person", "walk"]
    random = np.random.default_rng(0)
    np.save(folder / "our_vab_data.npy", random.normal(size=(len(words), 300)))
    (folder / "our_vab_words.pkl").write_bytes(pickle.dumps(words))
    (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps({word: i for i, word in enumerate(words)}))
    np.save(folder / "mean.npy", random.normal(size=263))
    np.save(folder / "std.npy", random.uniform(0.5, 2, size=263))
    return folder, space


def test_a_stored_evaluator_gives_the_numbers_of_its_files(files, tmp_path):
    folder, space = files
    out = tmp_path / "guo"
    statistics = ["--mean", str(folder / "mean.npy"), "--std", str(folder / "std.npy")]
    command = ["weights", "import-guo", str(folder / "finest.tar"), "--glove", str(folder), *statistics]
    told = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert told.exit_code == 0, told.output
    model = MotionModel.from_pretrained(out)
    x, lengths = torch.randn(2, 60, 263), torch.tensor([60, 41])
    mean, std = (torch.from_numpy(np.load(folder / f"{name}.npy")).float() for name in ("mean", "std"))
    space.spec = MotionSpec("humanml3d", "humanml3d", 20.0, mean, std)
    with torch.no_grad():
        motion = model.trainable.embed(Motion(x, lengths, model.spec))
        torch.testing.assert_close(motion, space.embed(Motion(x, lengths, space.spec)))
        given = model.conditioning({"text": ["a person walks", "a/DET person/NOUN walk/VERB", "walk"]})
        text = model.trainable.embed_condition(given)
        torch.testing.assert_close(text, space.embed_condition(given))
    torch.testing.assert_close(text[0], text[1])
    assert (text[0] - text[2]).abs().max() > 1e-4


def test_wrong_files_are_refused_and_nothing_is_written(files, tmp_path):
    folder, _ = files
    good = {"weights": folder / "finest.tar", "glove": folder, "mean": folder / "mean.npy", "std": folder / "std.npy"}
    np.save(tmp_path / "short.npy", np.ones(10))
    wrong = [
        ({"mean": tmp_path / "short.npy"}, WeightsError, r"shape \(10,\)"),
        ({"std": tmp_path / "none.npy"}, WeightsError, "not an array"),
        ({"glove": tmp_path}, WeightsError, "is missing"),
        ({"weights": tmp_path / "short.npy"}, WeightsError, "cannot be read as weights"),
        ({"representation": "humanml"}, UsageError, "did you mean 'humanml3d'"),
    ]
    for change, error, message in wrong:
        with pytest.raises(error, match=message):
            published.import_guo(**{**good, **change}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
