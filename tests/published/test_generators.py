"""Published weights become folders that generate, and say what the published networks say."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from motion_platform.cli.app import app
from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import WeightsError
from motion_platform.core.schema import Audio, Condition
from motion_platform.model.run import load_run
from motion_platform.published import generators, virtual_conductor

TESTS = Path(__file__).resolve().parents[1]
WIDTH, TEXT, DIM = 16, 8, 263
SIZES = ["layers=2", f"width={WIDTH}", "heads=2", "feed_forward=24", "sample_steps=2"]
CHANGES = [f"model.settings.{size}" for size in SIZES]
CONDUCTOR = TESTS / "generators" / "diffusion" / "conductor_reference.npz"


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------------------------------- MDM


class PublishedMDM(nn.Module):
    """MDM's network as its repository writes it, on torch's own transformer: the names of its tensors are theirs."""

    def __init__(self, decoder: bool) -> None:
        super().__init__()
        settings = {"d_model": WIDTH, "nhead": 2, "dim_feedforward": 24, "dropout": 0.0, "activation": "gelu"}
        self.input_process, self.output_process = nn.Module(), nn.Module()
        self.input_process.poseEmbedding = nn.Linear(DIM, WIDTH)
        self.output_process.poseFinal = nn.Linear(WIDTH, DIM)
        self.embed_timestep = nn.Module()
        self.embed_timestep.time_embed = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.embed_text = nn.Linear(TEXT, WIDTH)
        if decoder:
            self.seqTransDecoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**settings), 2)
        else:
            self.seqTransEncoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(**settings), 2)
        places = torch.arange(1000)[:, None]
        rates = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10000.0) / WIDTH))
        table = torch.zeros(1000, 1, WIDTH)
        table[:, 0, 0::2], table[:, 0, 1::2] = torch.sin(places * rates), torch.cos(places * rates)
        self.sequence_pos_encoder = nn.Module()
        self.sequence_pos_encoder.register_buffer("pe", table)

    def forward(self, x: torch.Tensor, steps: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        pe = self.sequence_pos_encoder.pe
        emb = self.embed_timestep.time_embed(pe[steps, 0]) + self.embed_text(text)
        sequence = torch.cat([emb[None], self.input_process.poseEmbedding(x.transpose(0, 1))]) + pe[: x.shape[1] + 1]
        return self.output_process.poseFinal(self.seqTransEncoder(sequence)[1:]).transpose(0, 1)


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Changes that put an encoder without weights of its own in CLIP's place."""
    monkeypatch.syspath_prepend(str(TESTS / "fixtures" / "plugin"))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    for name in ("Mean", "Std"):
        np.save(tmp_path / f"{name}.npy", np.full(DIM, 1.0))
    from motion_plugin_example import LettersEncoder

    monkeypatch.setattr(f"{__name__}.TEXT", LettersEncoder().dim)
    return [*CHANGES, "slots.text_high.encoder=letters", "slots.text_high.settings={}"]


def test_mdm_says_what_its_network_says_and_generates(letters: list[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = PublishedMDM(decoder=False).eval()
    torch.save({"model": theirs.state_dict()}, tmp_path / "model.pt")
    out = tmp_path / "mdm"
    given = ["--mean", str(tmp_path / "Mean.npy"), "--std", str(tmp_path / "Std.npy"), "--out", str(out), *letters]
    done = CliRunner().invoke(app, ["weights", "import-mdm", str(tmp_path / "model.pt"), *given])
    assert done.exception is None, done.output
    model = load_run(out).model
    x, steps, text = torch.randn(3, 9, DIM), torch.tensor([0, 417, 999]), torch.randn(3, TEXT)
    tokens = model.conditioning.projections["text_high"](text)[:, None]
    null = model.conditioning.null["text_high"].expand(3, 1, -1)
    on = torch.ones(3, 2, dtype=torch.bool)
    with torch.no_grad():
        said = model.trainable(x, steps, {"text_high": Condition(torch.cat([null, tokens], 1), on)})
        silent = model.trainable(x, steps, {"text_high": Condition(torch.cat([null, tokens], 1), on).drop()})
        torch.testing.assert_close(said, theirs(x, steps, text), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(silent, theirs(x, steps, torch.zeros(3, TEXT)), atol=1e-5, rtol=1e-4)
    done = CliRunner().invoke(
        app,
        [
            "generate",
            "text_to_motion",
            "--model",
            str(out),
            "--text",
            "a man",
            "--seconds",
            "2",
            "-o",
            str(tmp_path / "a.npz"),
        ],
    )
    assert done.exception is None, done.output
    with np.load(tmp_path / "a.npz") as made:
        assert 40 in {len(made[name]) for name in made.files if made[name].ndim}


def test_a_file_of_another_network_is_refused_by_the_name_of_its_tensor(letters: list[str], tmp_path: Path) -> None:
    torch.save(PublishedMDM(decoder=True).state_dict(), tmp_path / "decoder.pt")
    place = (tmp_path / "Mean.npy", tmp_path / "Std.npy", tmp_path / "out")
    with pytest.raises(WeightsError, match=r"cross_attention.*has no place in mdm; name its recipe"):
        generators.import_mdm(tmp_path / "decoder.pt", *place, overrides=letters)
    found = generators.import_mdm(
        tmp_path / "decoder.pt", *place, recipe="published/mdm_humanml3d_distilbert", overrides=letters
    )
    assert load_run(found).model.card.model.settings["width"] == WIDTH
    state = PublishedMDM(decoder=False).state_dict()
    del state["embed_text.bias"]
    torch.save(state, tmp_path / "less.pt")
    with pytest.raises(WeightsError, match="lacks what becomes conditioning"):
        generators.import_mdm(tmp_path / "less.pt", *place[:2], tmp_path / "less", overrides=letters)
    assert not (tmp_path / "less").exists()
    torch.save(torch.nn.Linear(1, 1), tmp_path / "code.pt")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        generators.import_mdm(tmp_path / "code.pt", *place, overrides=letters)


# -------------------------------------------------------------------------------------------------------- conductors


@pytest.fixture(scope="module")
def sync(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first stage in its published layout, imported."""
    theirs = module_of(TESTS / "published" / "make_m2s_reference.py")
    out = tmp_path_factory.mktemp("sync")
    with np.load(TESTS / "published" / "m2s_reference.npz") as reference:
        shapes = [tuple(map(int, shape.split())) for shape in reference["shapes"].tolist()]
        state = theirs.drawn(reference["names"].tolist(), shapes)
        state["motion_encoder.st_gcn.A"] = torch.from_numpy(reference["graph"])
    torch.save(state, out / "M2SNet.pt")
    return str(virtual_conductor.import_m2s(out / "M2SNet.pt", out / "m2s"))


def music() -> dict[str, list[Audio]]:
    return {"music": [Audio(2.0, features={"mel": np.random.default_rng(0).random((180, 128), np.float32)})]}


def test_the_gan_makes_what_the_original_makes(sync: str, tmp_path: Path) -> None:
    theirs = module_of(TESTS / "generators" / "conducting" / "test_gan.py")
    torch.save(theirs.published_state(None)[0], tmp_path / "M2SGAN.pt")
    arguments = [str(tmp_path / "M2SGAN.pt"), "--sync", sync, "--out", str(tmp_path / "gan")]
    done = CliRunner().invoke(app, ["weights", "import-m2s-gan", *arguments])
    assert done.exception is None, done.output
    model = load_run(tmp_path / "gan").model
    with np.load(CONDUCTOR) as reference, torch.no_grad():
        heard = model.conditioning.projections["music"](torch.from_numpy(reference["gan_music"]))
        made = model.trainable(heard, torch.from_numpy(reference["gan_noise"]))
        torch.testing.assert_close(made, torch.from_numpy(reference["gan_motion"]), atol=1e-5, rtol=1e-4)
    assert model.generate(music(), [60], ["a"]).x.shape == (1, 60, 26)


def test_diffusion_conductor_says_what_the_original_says(sync: str, tmp_path: Path) -> None:
    formula = module_of(CONDUCTOR.with_name("make_conductor_reference.py")).formula
    latent, width = 128, 512
    shapes = {"joint_embed": (latent, 26), "out": (26, latent), "linear": (width, 64), "proj": (64, 64)}
    shapes |= {"time_embed.0": (width, latent), "time_embed.2": (width, width)}
    norms = {}
    for i in range(2):
        place = f"temporal_decoder_blocks.{i}"
        for block, memory in (("sa_block", latent), ("ca_block", width)):
            shapes |= {f"{place}.{block}.query": (latent, latent)}
            shapes |= {f"{place}.{block}.{part}": (latent, memory) for part in ("key", "value")}
            norms[f"{place}.{block}.norm"] = latent
        norms[f"{place}.ca_block.text_norm"] = width
        shapes |= {f"{place}.ffn.linear1": (64, latent), f"{place}.ffn.linear2": (latent, 64)}
        for block in ("sa_block", "ca_block", "ffn"):
            out = f"{place}.{block}.proj_out"
            shapes |= {f"{out}.emb_layers.1": (2 * latent, width), f"{out}.out_layers.2": (latent, latent)}
            norms[f"{out}.norm"] = latent
    state = {"sequence_embedding": formula("sequence_embedding", (20, latent))}
    for name, shape in [*shapes.items(), *((name, (size,)) for name, size in norms.items())]:
        state[f"{name}.weight"] = formula(f"{name}.weight", shape)
        state[f"{name}.bias"] = formula(f"{name}.bias", shape[:1])
    torch.save({"encoder": state, "ep": 3}, tmp_path / "latest.tar")
    small = ["layers=2", "max_frames=20", "sample_steps=2"]
    arguments = [str(tmp_path / "latest.tar"), "--sync", sync, "--out", str(tmp_path / "conductor")]
    arguments += [f"model.settings.{each}" for each in small]
    done = CliRunner().invoke(app, ["weights", "import-diffusion-conductor", *arguments])
    assert done.exception is None, done.output
    model = load_run(tmp_path / "conductor").model
    with np.load(CONDUCTOR) as reference, torch.no_grad():
        tokens = model.conditioning.projections["music"](torch.from_numpy(reference["music"]))
        null = model.conditioning.null["music"].expand(2, 1, -1)
        on = torch.ones(2, 21, dtype=torch.bool)
        given = {"music": Condition(torch.cat([null, tokens], 1), on, 30.0)}
        got = model.trainable(torch.from_numpy(reference["x"]), torch.from_numpy(reference["steps"]), given)
        want = torch.from_numpy(reference["linear"])
        torch.testing.assert_close(got, want, atol=2e-4 * float(want.abs().max()), rtol=1e-3)
    assert model.generate(music(), [18], ["a"]).x.shape == (1, 18, 26)
