"""The packaged clips: small, licensed, varied, and prepared once."""

from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sources import sample


def test_is_small_and_its_licences_lie_beside_it(sample_root):
    size = sum(path.stat().st_size for path in sample_root.rglob("*"))
    assert size < 4_000_000
    assert "CC BY-NC 4.0" in (sample_root / "bandai-namco" / "LICENSE.txt").read_text()
    assert "mocap.cs.cmu.edu" in (sample_root / "cmu" / "LICENSE.txt").read_text()
    assert "MIT License" in (sample_root / "humanml3d" / "LICENSE").read_text()


def test_covers_the_labels(sample_dataset):
    labels = [sample_dataset.labels(i) for i in range(len(sample_dataset))]
    assert len({label["content"] for label in labels if label}) >= 22
    assert len({label["style"] for label in labels if label}) >= 14
    assert sum(not label for label in labels) == 12  # six CMU clips and their mirror images
    report = sample_dataset.meta["report"]
    assert (report["failed"], report["dropped"], report["nan"]) == ([], [], [])


def test_is_prepared_once_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    first = sample.folder()
    assert first.parent == tmp_path / "cache"
    time = (first / "meta.json").stat().st_mtime_ns
    assert sample.folder() == first
    assert (first / "meta.json").stat().st_mtime_ns == time
    assert len(PreparedDataset.open(first)) == 96


def test_its_name_changes_with_every_file_of_clips_data_and_motion(tmp_path, monkeypatch):
    import hashlib
    from pathlib import Path

    import motion_platform

    package, digest = Path(motion_platform.__file__).parent, hashlib.sha256()
    for part in ("sample", "data", "motion"):
        for path in sorted((package / part).rglob("*")):
            place = path.relative_to(package)
            if path.is_file() and not place.as_posix().startswith("motion/render/") and path.suffix != ".pyc":
                digest.update(place.as_posix().encode() + path.read_bytes())
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path))
    monkeypatch.setattr(sample.Sample, "prepare", lambda *_: None)
    assert sample.folder() == tmp_path / f"sample-{digest.hexdigest()[:12]}"


def test_a_set_that_another_process_has_made_meanwhile_is_taken(tmp_path, monkeypatch, sample_folder):
    import shutil

    import pytest

    from motion_platform.core.errors import OutputError

    def beaten(self, source, out):
        if sample_folder is not None:
            shutil.copytree(sample_folder, out)
        raise OutputError("already exists")

    monkeypatch.setenv("MOTION_CACHE", str(tmp_path))
    monkeypatch.setattr(sample.Sample, "prepare", beaten)
    assert len(PreparedDataset.open(sample.folder())) == 96
    shutil.rmtree(sample.folder())
    sample_folder = None
    with pytest.raises(OutputError, match="already exists"):
        sample.folder()
