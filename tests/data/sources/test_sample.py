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
