"""docs/add-an-audio-encoder.md, followed to the letter: the contract, samples that are kept, training, a second run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core import catalog, registry
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio
from motion_platform.data.loader import make_loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.writer import PreparedWriter
from motion_platform.model.conditioning import Conditioning
from motion_platform.model.feature_cache import FeatureCache

sys.path.append(str(Path(__file__).parent))
from documents import ROOT, blocks

RATE = 900


@pytest.fixture
def loudness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The page's class, under its entry point's name."""
    page = ROOT / "docs" / "add-an-audio-encoder.md"
    (code,), (entry,) = blocks(page, "python"), blocks(page, "toml")
    (tmp_path / "loudness.py").write_text(code + "\n")
    name, target = entry.splitlines()[1].replace('"', "").split(" = ")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.setitem(catalog.CATALOG["encoders"], name, target)
    yield registry.get("encoders", "loudness")
    sys.modules.pop("loudness", None)


def sound(seconds: float, level: float) -> np.ndarray:
    """Silence, then a square wave of this level: half of the time each."""
    samples = np.full(round(seconds * RATE), level, np.float32)
    samples[1::2] *= -1
    samples[: len(samples) // 2] = 0
    return samples


@pytest.fixture
def dataset(tmp_path: Path) -> PreparedDataset:
    """Two takes of four seconds with their samples."""
    streams = {"samples": (float(RATE), 1)}
    with PreparedWriter(
        tmp_path / "set", name="takes", representation="conductor", licence="none", streams=streams
    ) as w:
        for number, level in enumerate((0.1, 1.0)):
            pose = np.random.default_rng(number).normal(0.5, 0.01, (120, 26)).astype(np.float32)
            w.add(
                id=f"take {number}",
                split="train",
                source="",
                features=pose,
                streams={"samples": sound(4.0, level)[:, None]},
            )
        w.finish()
    return PreparedDataset.open(tmp_path / "set")


def test_the_encoder_of_the_page_keeps_the_contract(loudness) -> None:
    encoder = registry.build("encoders", "loudness", {"floor": -40.0})
    first, second = Audio(2.0, sound(2.0, 0.1), RATE), Audio(1.0, sound(1.0, 1.0), RATE)
    both = encoder([first, second])
    assert both.tokens.shape == (2, 60, 1)
    assert both.mask.sum(1).tolist() == [60, 30]
    assert torch.allclose(both.tokens[0, 30:, 0], torch.tensor(0.5), atol=1e-6)  # 0.1 of full scale: -20 of -40 dB
    assert (both.tokens[0, :30] == 0).all()
    assert torch.allclose(encoder([second]).tokens[0], both.tokens[1, :30])  # not a matter of what else is heard
    assert encoder.fingerprint() != registry.build("encoders", "loudness").fingerprint()
    with pytest.raises(DataError, match="known by its features alone"):
        encoder([Audio(1.0, features={"mel": np.zeros((90, 128), np.float32)})])


def test_samples_are_kept_and_the_features_are_computed_ahead_and_found_again(
    loudness, dataset: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    whole = loudness.forward

    def counted(self, raw):
        heard.extend(audio.seconds for audio in raw)
        return whole(self, raw)

    monkeypatch.setattr(loudness, "forward", counted)

    def conditioning() -> Conditioning:
        return Conditioning({"speech": loudness()}, 8, {}, cache=FeatureCache(tmp_path / "features"))

    def parts() -> list[Audio]:
        return [dataset.audio(row, 0, 1) for row in range(2)]

    first = conditioning()
    first.precompute_recordings("speech", parts(), 2)
    assert heard == [4.0, 4.0]  # each recording once, whole

    window = dataset.audio(1, 45, 30)  # half a second of silence, then full scale
    tokens = first.encode({"speech": [window]})["speech"].tokens[0, :, 0]
    assert tokens.tolist() == [0.0] * 15 + [1.0] * 15
    assert heard == [4.0, 4.0]

    again = conditioning()  # another run: nothing is heard anew
    again.precompute_recordings("speech", parts(), 2)
    assert torch.equal(again.encode({"speech": [window]})["speech"].tokens[0, :, 0], tokens)
    assert heard == [4.0, 4.0]

    other = Conditioning({"speech": loudness(floor=-40.0)}, 8, {}, cache=FeatureCache(tmp_path / "features"))
    other.precompute_recordings("speech", parts(), 2)  # another fingerprint: heard anew
    assert heard == [4.0] * 4


def test_training_computes_the_features_ahead(
    loudness, dataset: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from motion_platform.data.slots import Slot
    from motion_platform.training import train

    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    loader = make_loader(
        dataset, "train", dataset.spec(), {"speech": Slot("audio")}, batch_size=2, seed=0, max_frames=30, train=True
    )
    model = SimpleNamespace(conditioning=Conditioning({"speech": loudness()}, 8, {}))
    said = []
    train.precompute(model, loader, SimpleNamespace(encoding=lambda done, total: said.append((done, total))))
    assert said == [(2, 2)]
    monkeypatch.setattr(loudness, "forward", lambda *_: pytest.fail("heard in a step"))
    batch = loader.collate([0, 1])
    assert model.conditioning.encode(batch.raw)["speech"].tokens.shape == (2, 30, 1)
    assert list((tmp_path / "cache" / "features" / "loudness 1 -60.0").glob("*.npy"))
