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


@pytest.fixture(scope="session")
def conductor_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of conducting each, to music that is nothing but beats: prepared, in the layout of music data."""
    import numpy as np

    from motion_platform.data.writer import PreparedWriter

    out = tmp_path_factory.mktemp("prepared") / "conductor_scores"
    streams = {"mel": (90.0, 128)}
    writer = PreparedWriter(
        out, name="conductor_scores", representation="conductor", licence="CC0", streams=streams, events=True
    )
    with writer:
        for number, split in enumerate(["train"] * 4 + ["val", "test"]):
            random = np.random.default_rng(number)
            period = 0.5 + 0.06 * number
            beats = np.arange(0.2, 12, period)
            music = random.uniform(0, 0.1, (12 * 90, 128)).astype(np.float32)
            for beat in beats:
                music[round(beat * 90) : round(beat * 90) + 6] += 0.8
            phase = (np.arange(12 * 30) / 30 - 0.2) / period
            pose = np.tile([0.5, 0.3], (12 * 30, 13, 1)) + np.linspace(0, 0.4, 13)[:, None]
            pose[:, [7, 8, 9, 10], 1] -= 0.05 * np.abs(np.sin(np.pi * phase))[:, None]
            pose += random.normal(0, 0.002, pose.shape)
            writer.add(
                id=f"piece {number}",
                split=split,
                source=f"piece {number}.mid",
                features=pose.reshape(len(pose), 26).astype(np.float32),
                labels={"style": ("calm", "large")[number % 2]},
                streams={"mel": music.clip(0, 1)},
                events={"beats": beats, "bars": beats[::4]},
            )
        writer.finish()
    return out
