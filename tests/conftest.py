"""Shared by all tests: the packaged clips, prepared once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sample_root() -> Path:
    """The folder of the packaged motion files."""
    from motion_platform.data.sample import sample_root

    return sample_root()


@pytest.fixture(scope="session")
def sample_folder(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged clips, prepared."""
    from motion_platform.data.sample import Sample

    out = tmp_path_factory.mktemp("prepared") / "sample"
    Sample().prepare(sample_root, out, workers=1)
    return out


@pytest.fixture(scope="session")
def sample_dataset(sample_folder: Path):
    """The packaged clips as a PreparedDataset."""
    from motion_platform.data.prepared import PreparedDataset

    return PreparedDataset.open(sample_folder)
