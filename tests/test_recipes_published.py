"""The recipes at published size: their weights counted against the papers' networks, and one step of each on a folder
made in the official layout."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from benchmarks import published_steps
from motion_platform.core import cards, config
from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import DataError
from motion_platform.data.sources.conductor_motion100 import ConductorMotion100
from motion_platform.data.sources.humanml3d import HumanML3DFolder, KITMLFolder
from motion_platform.model.run import load_run
from motion_platform.training import train

PLUGIN = Path(__file__).resolve().parent / "fixtures" / "plugin"
TASKS = (
    "text_to_motion",
    "text_to_motion_joined",
    "motion_tokens",
    "text_motion_retrieval",
    "music_motion_sync",
    "music_to_conductor",
)
"""Tasks whose recipes are counted here."""


def published() -> list[str]:
    """The recipes of these tasks in configs/published/."""
    names = [name for name in cards.names("configs") if name.startswith("published/")]
    return [name for name in names if config.load_recipe(cards.find("configs", name)).task in TASKS]


NAMES = published()


# ------------------------------------------------------------------------------------------- the papers' networks


def linear(a: int, b: int) -> int:
    return a * b + b


def conv(a: int, b: int, kernel: int) -> int:
    return a * b * kernel + b


def attention(width: int) -> int:
    return linear(width, 3 * width) + linear(width, width)


def layer(width: int, feed_forward: int, attentions: int = 1) -> int:
    """A layer of torch's TransformerEncoder (DecoderLayer with two attentions)."""
    inner = linear(width, feed_forward) + linear(feed_forward, width)
    return attentions * attention(width) + inner + (attentions + 1) * 2 * width


def mdm(dim: int, texts: list[int], attentions: int = 1) -> int:
    """MDM's published code, CLIP left out, as it prints it: 17.88 M for HumanML3D and CLIP (arXiv:2209.14916)."""
    time = 2 * linear(512, 512)
    return (
        8 * layer(512, 1024, attentions)
        + time
        + sum(linear(c, 512) for c in texts)
        + linear(dim, 512)
        + linear(512, dim)
    )


def t2m_gpt(dim: int, codebooks: int = 1) -> int:
    """T2M-GPT's tokenizer and its codes: width 512, two stages of three residual blocks (arXiv:2301.06052)."""
    block = conv(512, 512, 3) + conv(512, 512, 1)
    encoder = conv(dim, 512, 3) + 2 * (conv(512, 512, 4) + 3 * block) + conv(512, 512, 3)
    decoder = conv(512, 512, 3) + 2 * (3 * block + conv(512, 512, 3)) + conv(512, 512, 3) + conv(512, dim, 3)
    return encoder + decoder + codebooks * 512 * 512


def guo(dim: int) -> int:
    """The released evaluator (Guo et al. 2022): movement, motion and text encoders."""
    movement = conv(dim - 4, 512, 4) + conv(512, 512, 4) + linear(512, 512)

    def recurrent(features: int, width: int, out: int) -> int:
        gates = 2 * (2 * 3 * width * width + 2 * 3 * width)
        return linear(features, width) + gates + linear(2 * width, width) + 2 * width + linear(width, out) + 2 * width

    return movement + recurrent(512, 1024, 512) + recurrent(300, 512, 512) + linear(15, 300)


def lora(layers: int, width: int, rank: int = 64) -> int:
    """r 64 on the query and value projections (arXiv:2306.10900): 0.4 % of the 13.0 G weights of LLaMA-13B."""
    return layers * 2 * rank * 2 * width


def tmr() -> int:
    """TMR's two encoders (arXiv:2305.00976): a linear layer in, six layers of 256, of motion and of DistilBERT."""
    return linear(263, 256) + linear(768, 256) + 2 * 6 * layer(256, 1024)


def flan_t5_base() -> int:
    """Flan-T5 base: 12 layers of 768 to each side, gated feed-forward of 2,048, one table (arXiv:2210.11416)."""
    attended, feed_forward, norm = 4 * 768 * 768, 3 * 768 * 2048, 768
    encoder, decoder = attended + feed_forward + 2 * norm, 2 * attended + feed_forward + 3 * norm
    return 32128 * 768 + 12 * (encoder + decoder) + 2 * 32 * 12 + 2 * norm


def diffusion_conductor() -> int:
    """The denoiser of Diffusion-Conductor's code: 8 layers of linear attention, latent 128, music of 64 numbers."""
    styled = linear(512, 256) + 2 * 128 + linear(128, 128)
    attended = 2 * 128 + 3 * linear(128, 128) + styled
    crossed = 2 * 128 + 2 * 512 + linear(128, 128) + 2 * linear(512, 128) + styled
    inner = linear(128, 64) + linear(64, 128) + styled
    music = linear(64, 64) + 2 * linear(64, 512)
    time = linear(128, 512) + linear(512, 512)
    return 8 * (attended + crossed + inner) + 1800 * 128 + linear(26, 128) + linear(128, 26) + time + music


def motion_encoder() -> int:
    """ST-GCN of VirtualConductor: 10 layers of 32 over 13 joints with learned edges, then 64 numbers a frame."""
    after = 2 * 32 + conv(32, 32, 3) + 2 * 32
    return 2 * 26 + (linear(2, 32) + after) + 9 * (linear(32, 32) + after) + 10 * 13 * 13 + linear(32 * 13, 64) + 128


def m2s_gan() -> int:
    """VirtualConductor's generator (noise, six layers of TCN, three of a small network) and its critic."""
    noise = conv(8, 16, 3) + conv(16, 16, 11) + conv(16, 32, 5) + conv(32, 64, 6) + 2 * 64
    normed = conv(64, 64, 5) + 64
    first = conv(128, 64, 5) + 64 + normed + 4 * 64 + linear(128, 64)
    tcn = first + 5 * (2 * normed + 4 * 64) + linear(64, 64)
    critic = conv(26, 64, 5) + 2 * conv(64, 64, 5) + linear(64, 32) + linear(32, 32) + linear(32, 1)
    return noise + tcn + 2 * linear(64, 64) + linear(64, 26) + critic


COUNTS: dict[str, tuple[int, float]] = {
    "mdm_humanml3d": (mdm(263, [512]), 0.01),
    "mdm_humanml3d_50": (mdm(263, [512]), 0.01),
    "mdm_kit": (mdm(251, [512]), 0.01),
    "mdm_kit_50": (mdm(251, [512]), 0.01),
    "mdm_humanml3d_distilbert": (mdm(263, [768], 2), 0.01),
    "mdm_kit_distilbert": (mdm(251, [768], 2), 0.01),
    "wacv_concatenated": (mdm(263, [512]), 0.01),
    "wacv_distilbert": (mdm(263, [512, 768]), 0.01),
    "wacv_sentence_t5": (mdm(263, [512, 768]), 0.01),
    "wacv_minilm": (mdm(263, [512, 384]), 0.01),
    "t2m_gpt_vq": (t2m_gpt(263), 0.01),
    "t2m_gpt_vq_kit": (t2m_gpt(251), 0.01),
    "momask_rvq": (t2m_gpt(263, 6), 0.01),
    "momask_rvq_kit": (t2m_gpt(251, 6), 0.01),
    "motiongpt_1_tokens": (t2m_gpt(263), 0.01),
    "motiongpt_2_pretrain": (flan_t5_base(), 0.01),
    "motiongpt_3_instruct": (flan_t5_base(), 0.01),
    "motiongpt_llama_7b": (lora(32, 4096), 0.01),
    "motiongpt_llama_13b": (lora(40, 5120), 0.01),
    "dynamic_pose_2_llama": (lora(40, 5120), 0.01),
    "virtual_conductor_1_sync": (motion_encoder() + linear(128, 64) + linear(64, 64) + linear(64, 1), 0.01),
    "virtual_conductor_2_gan": (m2s_gan(), 0.012),  # one matrix of the conditioning more
    "diffusion_conductor": (diffusion_conductor(), 0.01),
    "tmr": (tmr(), 0.05),  # the head that reads the motion's states
    "guo_evaluator": (guo(263), 0.01),
    "guo_evaluator_kit": (guo(251), 0.01),
}
"""Recipe -> the count of the published network, and how far ours may be from it."""
UNCOUNTED = {"dynamic_pose_1_tokens"}
"""The paper gives neither sizes nor a count."""


def test_every_published_recipe_of_these_tasks_is_counted() -> None:
    assert {name.removeprefix("published/") for name in NAMES} == COUNTS.keys() | UNCOUNTED


@pytest.mark.parametrize("name", COUNTS)
def test_its_weights_are_those_of_the_paper(name: str) -> None:
    wanted, apart = COUNTS[name]
    model = published_steps.build(config.load_recipe(cards.find("configs", f"published/{name}")), "meta")
    assert published_steps.trained(model) == pytest.approx(wanted, rel=apart)


def test_counts_that_the_papers_and_their_code_say() -> None:
    assert round(mdm(263, [512]) / 1e6, 2) == 17.88  # printed by MDM's training
    assert round(flan_t5_base() / 1e7) == 22  # "220 M"
    assert round(100 * lora(40, 5120) / 13.0e9, 1) == 0.4  # "0.4 %"
    assert round((m2s_gan() - 52641 + 71104) * 4 / 1e6, 1) == 1.5  # a checkpoint of 1.6 MB with its music encoder


# ----------------------------------------------------------------------------------------------- one step of each


def official(root: Path, dim: int, frames: int = 70) -> Path:
    """The layout of HumanML3D and KIT-ML: six clips with tags."""
    random = np.random.default_rng(dim)
    for folder in ("new_joint_vecs", "texts"):
        (root / folder).mkdir(parents=True)
    ids = [f"{number:06d}" for number in range(6)]
    for id in ids:
        x = np.cumsum(random.normal(size=(frames, dim)) * 0.02, 0)
        np.save(root / "new_joint_vecs" / f"{id}.npy", x.astype(np.float32))
        (root / "texts" / f"{id}.txt").write_text(f"a person walks {id[-1]}#a/DET person/NOUN walk/VERB#0.0#0.0\n")
    for split, chosen in (("train", ids[:4]), ("val", ids[4:5]), ("test", ids[5:])):
        (root / f"{split}.txt").write_text("\n".join(chosen) + "\n")
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Data set -> prepared folder, from folders in the official layouts. "low": with low-level texts."""
    root = tmp_path_factory.mktemp("official")
    out = {name: root / "prepared" / name for name in ("humanml3d", "kit_ml", "conductor_motion100", "low")}
    HumanML3DFolder().prepare(official(root / "HumanML3D", 263), out["humanml3d"], workers=1)
    KITMLFolder().prepare(official(root / "KIT-ML", 251), out["kit_ml"], workers=1)
    random = np.random.default_rng(0)
    for place in ("train/0", "train/1", "val/0", "test/0"):
        folder = root / "CM" / place
        folder.mkdir(parents=True)
        np.save(folder / "mel.npy", random.random((5400, 128)))
        np.save(folder / "motion.npy", random.random((1800, 13, 2)))
    ConductorMotion100().prepare(root / "CM", out["conductor_motion100"], workers=1)
    dual = official(root / "dual", 263)
    (dual / "babel_texts").mkdir()
    (dual / "babel_texts" / "000001.txt").write_text("walk, turn, walk\n")  # the others repeat their captions
    HumanML3DFolder().prepare(dual, out["low"], workers=1)
    words = ["sos", "eos", "unk", "a", "person", "walk"]
    (root / "glove").mkdir()
    np.save(root / "glove" / "our_vab_data.npy", random.normal(size=(len(words), 300)))
    (root / "glove" / "our_vab_words.pkl").write_bytes(pickle.dumps(words))
    (root / "glove" / "our_vab_idx.pkl").write_bytes(pickle.dumps({word: i for i, word in enumerate(words)}))
    return out | {"glove": root / "glove", "texts": root / "HumanML3D" / "texts"}


TRANSFORMER = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16}
SMALL = {"name": "vqvae", "settings": {"codes": 24, "code_width": 8, "width": 8, "depth": 1}}
REDUCED: dict[str, dict[str, object]] = {
    "mdm": TRANSFORMER,
    "vqvae": {"width": 16, "code_width": 16, "depth": 1},
    "dynamic_pose": {"width": 16, "code_width": 16, "depth": 1},
    "motion_lm": {"tokenizer": SMALL, "rank": 2},
    "music_motion_sync": {"layers": 2, "motion_width": 4, "dim": 8},
    "conductor_gan": {"channels": 8, "layers": 2},
    "conductor_ddpm": {"layers": 1, "latent": 16, "heads": 2, "feed_forward": 8, "rank": 4, "sample_steps": 2},
    "text_motion": {**TRANSFORMER, "text_layers": 1, "embedding": 8},
    "guo": {"movement": 8, "motion_width": 8, "text_width": 8, "embedding": 8},
}
"""Model -> settings for a step that takes no time."""


@pytest.fixture(scope="module")
def first_stage(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step of stage 1 of the conductors, which their second stages build upon."""
    return step("virtual_conductor_1_sync", folders, tmp_path_factory.mktemp("sync"), {})


def step(name: str, folders: dict[str, Path], out: Path, bases: dict[str, Path]) -> Path:
    """Train a published recipe for one step, smaller."""
    place = cards.find("configs", f"published/{name}")
    whole = config.load_recipe(place)
    data = "low" if "text_low" in whole.slots else whole.data.name
    changes = [f"data.folder={folders[data]}", f"output={out / 'run'}", "train.steps=1", "train.batch_size=2"]
    changes += ["train.gradient_accumulation=1", "train.precision=no"]
    changes += [f"model.settings.{key}={value}" for key, value in REDUCED[whole.model.name].items()]
    for slot, each in whole.slots.items():
        if each.encoder in ("clip_text", "hf_text", "sentence"):
            changes.append(f"slots.{slot}.encoder=letters")
        elif each.encoder == "glove_tags":
            changes.append(f"slots.{slot}.settings={{folder: {folders['glove']}, tags: {folders['texts']}}}")
        elif each.encoder == "music_mel":
            changes += [f"slots.{slot}.settings={{channels: [2, 2, 2], dim: 8}}"] if "sync" in name else []
            changes += [f"slots.{slot}.settings.weights={folders['first']}"] if "sync" not in name else []
    if whole.data.name == "conductor_motion100":
        changes += ["data.max_frames=90", "data.min_frames=60"]
        changes += ["model.settings.clip_seconds=1", "model.settings.apart=0.5"] if "sync" in name else []
        changes += [f"model.settings.sync_weights={folders['first']}"] if "gan" in name else []
    if whole.model.name == "motion_lm":
        changes += [f"model.settings.base={bases['t5' if 't5' in whole.model.settings['base'] else 'untied']}"]
        changes += ["model.settings.max_frames=48", "data.max_frames=48"] + ["~initial"] * (whole.initial is not None)
    recipe = config.load_recipe(place, changes)
    return train.run(recipe, name, device="cpu", quiet=True)


@pytest.mark.parametrize("name", [name.removeprefix("published/") for name in NAMES])
def test_a_step_on_the_official_layout(
    name: str,
    folders: dict[str, Path],
    first_stage: Path,
    tiny_bases: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    made = load_run(step(name, {**folders, "first": first_stage}, tmp_path, tiny_bases))
    whole = config.load_recipe(cards.find("configs", f"published/{name}"))
    assert made.model.card.step == 1
    assert made.model.spec.representation == whole.representation
    assert tuple(made.model.card.slots) == tuple(whole.slots)


def test_a_low_level_text_that_no_clip_has_is_refused(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    with pytest.raises(DataError, match=r"slots.text_low: no row of split train of data set humanml3d"):
        step("wacv_minilm", {**folders, "low": folders["humanml3d"]}, tmp_path, {})
