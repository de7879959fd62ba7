"""Shared by all tests: the packaged clips, prepared once a session, and a small prepared data set with an encoder that
needs no weights, so that tests of whole runs take seconds."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import tempfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
import torch

from motion_platform.core import cards, config
from motion_platform.core.catalog import CATALOG
from motion_platform.core.config import Recipe
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec
from motion_platform.core.settings import arguments
from motion_platform.data.writer import PreparedWriter
from motion_platform.generators.diffusion.mdm import MDM

# librosa compiles itself on first use into a cache, and two processes that write it at once leave one that kills who
# reads it: every process of the tests has its own.
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="motion-numba-")
atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

# Examples of properties are made on machines that are busy with something else: no clock on the wall ends them.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

PLUGIN = Path(__file__).resolve().parent / "fixtures" / "plugin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--shuffle SEED``: the tests in another order, to find those that lean on one another."""
    parser.addoption("--shuffle", type=int, default=None, metavar="SEED", help="an order drawn with SEED")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is not None:
        random.Random(seed).shuffle(items)


def seed_with(name: str) -> None:
    """Seed every global generator by a name; MOTION_TEST_SEED gives all names other numbers."""
    seed = zlib.crc32(f"{os.environ.get('MOTION_TEST_SEED', '')}{name}".encode())
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.fixture(autouse=True)
def seeded(request: pytest.FixtureRequest) -> None:
    """Every test draws the same numbers, whatever ran before: seeded by its name."""
    seed_with(request.node.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest):
    """What several tests share draws by its own name, and takes nothing from the numbers of the test that is first to
    need it: otherwise both would depend on the order of the tests."""
    if fixturedef.scope == "function":
        return (yield)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_with(f"{fixturedef.baseid}::{fixturedef.argname}")
    try:
        return (yield)
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


@pytest.fixture(scope="session")
def sample_root() -> Path:
    """The folder of the packaged motion files."""
    from motion_platform.data.sources.sample import sample_root

    return sample_root()


@pytest.fixture(scope="session")
def sample_folder(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged clips, prepared."""
    from motion_platform.data.sources.sample import Sample

    out = tmp_path_factory.mktemp("prepared") / "sample"
    Sample().prepare(sample_root, out, workers=1)
    return out


@pytest.fixture(scope="session")
def sample_dataset(sample_folder: Path):
    """The packaged clips as a PreparedDataset."""
    from motion_platform.data.prepared import PreparedDataset

    return PreparedDataset.open(sample_folder)


@pytest.fixture(scope="session")
def gesture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six takes in ZeroEGGS's layout, made up, with their sound: prepared."""
    from speech_folders import zeggs_folder

    from motion_platform.data.sources.zeggs import Zeggs

    root = tmp_path_factory.mktemp("zeggs")
    Zeggs().prepare(zeggs_folder(root / "source", takes=2), root / "prepared", workers=1)
    return root / "prepared"


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
                labels={"style": ("classical", "lively")[number % 2]},
                streams={"mel": music.clip(0, 1)},
                events={"beats": beats, "bars": beats[::4]},
            )
        writer.finish()
    return out


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 clips of 20 to 60 frames: random walks around one of two poses."""
    folder = tmp_path_factory.mktemp("data") / "toy"
    random = np.random.default_rng(0)
    with PreparedWriter(folder, name="toy", representation="humanml3d_essential", licence="none") as writer:
        for i in range(40):
            action = ("runs", "walks")[i % 2]
            x = np.cumsum(random.normal(size=(random.integers(20, 60), 67)) * 0.02, 0) + i % 2
            writer.add(
                id=f"clip{i:03d}",
                split=("train", "train", "train", "val", "test")[i % 5],
                source=f"toy {i}",
                features=x.astype(np.float32),
                captions_high=[f"a person {action} number {i % 7}", f"somebody {action}"],
                captions_low=[action],
                labels={"content": action, "style": ("calm", "angry")[i % 3 > 0]},
            )
        writer.finish({})
    return folder


@pytest.fixture
def recipe(toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a checked recipe: the smoke recipe on the toy data with the letters encoder, plus overrides."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))

    def make(*overrides: str, base: str = "smoke/text_to_motion", output: str = "run") -> Recipe:
        path = cards.find("configs", base)
        own = [f"data.folder={toy_data}", f"output={tmp_path / output}"]
        if base == "smoke/text_to_motion":
            own += [f"slots.{slot}.encoder=letters" for slot in ("text_high", "text_low")]
            own += ["model.settings.layers=1", "model.settings.width=32", "model.settings.dropout=0.1"]
        return config.load_recipe(path, [*own, *overrides])

    return make


@pytest.fixture
def own_task(tmp_path: Path):
    """Write a task card outside tasks/: its path."""

    def write(reads: str, *, optional: str = "", name: str = "my_task") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"task: {name}\ntitle: Mine\nsource: nowhere\nreads: {{{reads}}}\noptional: [{optional}]\n"
            "writes: motion\ndata: sample\nmetrics: [{name: foot_skating}]\n"
        )
        return path

    return write


@pytest.fixture
def own_recipe(recipe):
    """A recipe for a task card of one's own, whose slots read letters."""

    def make(task: Path, *slots: str, **more: str) -> Recipe:
        made = recipe("validation.every=0", "train.steps=1", **more)
        letters = {slot: made.slots["text_high"] for slot in slots}
        return made.model_copy(update={"task": str(task), "slots": letters})

    return make


SLOTS = ("text_high", "text_low")
DIM, WIDTH = 67, 32


def make_spec(seed=3):
    generator = torch.Generator().manual_seed(seed)
    mean, std = torch.randn(DIM, generator=generator) * 0.1, torch.rand(DIM, generator=generator) * 0.2 + 0.1
    std[:3] = 0.02  # turns and steps of a frame are small
    return MotionSpec("humanml3d_essential", "humanml3d", 20.0, mean, std)


def make_model(slots=SLOTS, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"layers": 2, "width": WIDTH, "heads": 4, "feed_forward": 48, "max_frames": 48} | settings
    return MDM(make_spec(), slots, **arguments(MDM, settings, "mdm"))


def make_given(rows, slots=SLOTS, tokens=3, seed=1, width=WIDTH):
    """Null token first; rows have 1 .. tokens real tokens; what is switched off is garbage."""
    given = {}
    for number, slot in enumerate(slots):
        generator = torch.Generator().manual_seed(seed + number)
        values = torch.randn(rows, 1 + tokens, width, generator=generator)
        values[:, 0] = torch.randn(width, generator=generator)
        on = torch.arange(1 + tokens)[None] <= 1 + torch.arange(rows)[:, None] % tokens
        given[slot] = Condition(torch.where(on[..., None], values, 1e3), on)
    return given


def make_batch(lengths=(40, 33, 17, 8), seed=2):
    """Smooth motions, different for each row."""
    lengths = torch.tensor(lengths)
    generator = torch.Generator().manual_seed(seed)
    spec = make_spec()
    phase = torch.rand(len(lengths), 1, DIM, generator=generator) * 6.3
    x = torch.sin(torch.arange(int(lengths.max()))[None, :, None] * 0.3 + phase)
    return Batch([f"clip {i}" for i in range(len(lengths))], {}, lengths, Motion(spec.restore(x), lengths, spec))


def row_of(given, row):
    return {slot: Condition(c.tokens[row : row + 1], c.mask[row : row + 1]) for slot, c in given.items()}


@pytest.fixture
def make():
    return SimpleNamespace(
        spec=make_spec, model=make_model, given=make_given, batch=make_batch, row=row_of, slots=SLOTS, width=WIDTH
    )


TINY = {
    "llama": {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    },
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 512},
    "t5": {"model_type": "t5", "d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2},
}
TINY["untied"] = {**TINY["llama"], "tie_word_embeddings": False}
TOKENIZER = {"name": "vqvae", "settings": {"codes": 24, "code_width": 16, "width": 16, "depth": 1}}


@pytest.fixture(scope="session")
def tiny_bases(tmp_path_factory):
    """name -> folder of a random language model of a few thousand weights, with a tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

    folders = {}
    for seed, (name, settings) in enumerate([*TINY.items(), ("other", TINY["llama"])]):
        folder = tmp_path_factory.mktemp("bases") / name
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {letter: i for i, letter in enumerate(["</s>", *letters])}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(folder)
        torch.manual_seed(seed)
        config = AutoConfig.for_model(**settings, vocab_size=len(vocabulary))
        auto = AutoModelForSeq2SeqLM if name == "t5" else AutoModelForCausalLM
        auto.from_config(config).save_pretrained(folder)
        folders[name] = folder
    return folders


@pytest.fixture(scope="session")
def tiny_lm(tiny_bases):
    """Make a small motion language model on one of the tiny bases, with an untrained motion tokenizer."""
    from motion_platform.generators.language.motion_lm import MotionLM

    def make(base="llama", seed=0, spec=None, slots=(), **settings):
        torch.manual_seed(seed)
        settings = {"tokenizer": TOKENIZER, "rank": 4, "max_frames": 48, "pack": 128} | settings
        model = MotionLM(spec or make_spec(), slots, base=str(tiny_bases[base]), **settings)
        model.tokenizer.encode(make_batch().motion)  # its codebook takes its first values from the first motions
        return model

    return make


@pytest.fixture
def train_until(monkeypatch: pytest.MonkeyPatch):
    """``train.run``, stopped by a person after a step; what is said must match."""
    from motion_platform.training import train

    def run(recipe, name: str, stop: int, said: str = "") -> None:
        with monkeypatch.context() as patch:
            patch.setattr(train, "agreed", lambda wanted, accelerator, step, every: step == stop)
            with pytest.raises(train.Interrupted, match=said):
                train.run(recipe, name, device="cpu", quiet=True)

    return run


@pytest.fixture(scope="session")
def speech_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged sentences with planned gestures, prepared: speech_gestures."""
    from motion_platform.data.sources.sample import sample_root
    from motion_platform.data.sources.speech_gestures import SpeechGestures

    out = tmp_path_factory.mktemp("prepared") / "speech_gestures"
    SpeechGestures(renditions=1).prepare(sample_root() / "speech", out, workers=1)
    return out
