"""Searching: nearest first against a plain loop, an index that is found again, and both directions by command."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from motion_platform.cli.app import app
from motion_platform.core.config import ModelFile, ModelRecipe, SlotRecipe
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.seeding import seed_everything
from motion_platform.data.loader import Collate
from motion_platform.model import points
from motion_platform.model.motion_model import FORMAT, MotionModel, build
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import search

SMALL = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "embedding": 8}


@pytest.fixture(scope="module")
def dataset(sample_folder, tmp_path_factory):
    """A copy of the packaged clips: the index is written beside them."""
    import shutil

    from motion_platform.data.prepared import PreparedDataset

    folder = tmp_path_factory.mktemp("search") / "sample"
    shutil.copytree(sample_folder, folder)
    return PreparedDataset.open(folder)


def make(dataset, folder, seed=0):
    card = ModelFile(
        format=FORMAT,
        name=folder.name,
        task="text_motion_retrieval",
        motion_platform="test",
        model=ModelRecipe(kind="spaces", name="text_motion", settings=SMALL),
        slots={"text": SlotRecipe(encoder="sentence", dropout=0.0)},
        spec=dataset.spec("humanml3d_essential").to_dict(),
        data={"name": "sample"},
    )
    seed_everything(seed)
    return MotionModel.from_pretrained(build(card, dataset.spec("humanml3d_essential")).save_pretrained(folder))


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory):
    return make(dataset, tmp_path_factory.mktemp("model") / "space")


def test_by_text_is_the_plain_loop_over_clips(model, dataset):
    hits = search.by_text(model, dataset, "a person walks", top=5, split="test")
    with torch.no_grad():
        point = model.trainable.embed_condition(model.conditioning({"text": ["a person walks"]}))[0]
        distances = {}
        for row in dataset.indices("test"):
            motion = Collate(dataset, model.spec, (), max_frames=None)([row]).motion
            distances[dataset.id(row)] = float((model.trainable.embed(motion)[0] - point).norm())
    nearest = sorted(distances, key=distances.get)[:5]
    assert [hit.id for hit in hits] == nearest
    np.testing.assert_allclose([hit.distance for hit in hits], [distances[id] for id in nearest], rtol=1e-3, atol=1e-4)
    assert all(hit.caption == dataset.captions(hit.row)[0][0] for hit in hits)


@pytest.fixture
def walk(dataset, sample_root):
    """A file of which a whole clip was made: (its path, the clip's row). What is stored is one frame shorter."""
    row = dataset.index("dataset-1_walk_tired_002")
    return next(sample_root.rglob(f"{dataset.id(row)}.bvh")), row


def test_by_motion_finds_the_clip_itself_and_no_caption_twice(model, dataset, walk):
    path, row = walk
    captions, clips = search.by_motion(model, dataset, io.load(path), top=4)
    assert clips[0].id == dataset.id(row)
    assert clips[0].distance < 1e-3 < clips[1].distance
    assert len({hit.caption.lower() for hit in captions}) == len(captions) == 4
    assert [hit.distance for hit in captions] == sorted(hit.distance for hit in captions)


def test_the_index_is_made_once_for_a_model_and_its_data(model, dataset, tmp_path, monkeypatch):
    first = points.clip_points(model, dataset)
    path = points.index_path(model, dataset, "motion")
    assert path.is_file()
    assert path.parent.parent == dataset.folder
    monkeypatch.setattr(model.trainable, "embed", lambda motion: pytest.fail("the index was not used"))
    assert np.array_equal(points.clip_points(model, dataset), first)
    monkeypatch.undo()
    other = make(dataset, tmp_path / "other", seed=1)
    assert points.index_path(other, dataset, "motion") != path
    assert np.abs(points.clip_points(other, dataset) - first).max() > 1e-3


def test_a_damaged_index_is_an_error_that_says_what_to_do(dataset, tmp_path):
    model = make(dataset, tmp_path / "space", seed=2)
    points.clip_points(model, dataset)
    path = points.index_path(model, dataset, "motion")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="delete the file"):
        search.by_text(model, dataset, "a person walks")
    np.save(path, np.zeros((3, 8), np.float32))
    with pytest.raises(DataError, match=r"shape \(3, 8\); delete the file"):
        search.by_text(model, dataset, "a person walks")


def test_bad_requests(model, dataset):
    with pytest.raises(UsageError, match="is empty"):
        search.by_text(model, dataset, "  ")
    with pytest.raises(UsageError, match="split"):
        search.by_text(model, dataset, "walk", split="nosuch")
    one = Clip(np.random.default_rng(0).normal(size=(1, 22, 3)).astype(np.float32), 20.0, get_skeleton("humanml3d"))
    with pytest.raises(DataError, match="at least 2 are needed"):
        search.by_motion(model, dataset, one)


def test_the_command_searches_both_ways_and_shows_what_it_found(model, dataset, walk, tmp_path):
    folder = model.save_pretrained(tmp_path / "space")
    page = tmp_path / "found.html"
    common = ["--model", str(folder), "--data", str(dataset.folder), "--top", "3"]
    told = CliRunner().invoke(app, ["search", "--text", "a person walks", *common, "-o", str(page)])
    assert told.exit_code == 0, told.output
    expected = search.by_text(model, dataset, "a person walks", top=3)
    assert [line.split()[1] for line in told.output.splitlines()[:3]] == [hit.id for hit in expected]
    assert expected[0].id in page.read_text()
    told = CliRunner().invoke(app, ["search", "--motion", str(walk[0]), *common])
    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[4].split()[1] == dataset.id(walk[1])
    for wrong in ([], ["--text", "walk", "--motion", "x.bvh"]):
        told = CliRunner().invoke(app, ["search", *wrong, *common])
        assert isinstance(told.exception, UsageError)


def test_a_recogniser_cannot_be_searched_by_text(dataset, tmp_path):
    card = ModelFile(
        format=FORMAT,
        name="recogniser",
        task="motion_recognition",
        motion_platform="test",
        model=ModelRecipe(
            kind="spaces", name="recogniser", settings={"targets": {"content": ["a", "b"]}, "width": 16, "layers": 1}
        ),
        slots={},
        spec=dataset.spec("humanml3d_essential").to_dict(),
    )
    model = build(card, dataset.spec("humanml3d_essential"))
    with pytest.raises(UsageError, match="embeds motion, not text"):
        search.by_text(model, dataset, "a person walks")
