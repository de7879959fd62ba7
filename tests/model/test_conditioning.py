import copy

import numpy as np
import pytest
import torch
from torch import nn

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import ConfigError, DataError, UnknownName, WeightsError
from motion_platform.core.schema import Audio, Condition, length_mask
from motion_platform.encoders.label import LabelEncoder
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.encoders.text import TextEncoder
from motion_platform.model.conditioning import Conditioning
from motion_platform.model.feature_cache import FeatureCache


class Words(TextEncoder):
    """A frozen encoder that can be worked out by hand: a token a word, [length, first letter], and it counts calls."""

    def __init__(self, limit=8, version=1):
        super().__init__("words", identity=f"{limit} {version}", frozen=True)
        self.dim, self.limit, self.read = 2, limit, []
        self.weight = nn.Parameter(torch.tensor([1.0, 0.01]))
        self.finish()

    def encode(self, texts):
        self.read += texts
        rows = [text.split()[: self.limit] for text in texts]
        mask = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.bool)
        tokens = torch.full((*mask.shape, 2), float("nan"))
        for i, words in enumerate(rows):
            mask[i, : len(words)] = True
            tokens[i, : len(words)] = torch.tensor([[len(word), ord(word[0])] for word in words]) * self.weight
        return tokens, mask


class Loudness(Encoder):
    """An encoder of something that is no text: B waveforms -> a token a sample."""

    reads, dim, rate_hz, frozen = "audio", 1, 100.0, True

    def forward(self, raw):
        tokens = nn.utils.rnn.pad_sequence([torch.as_tensor(wave)[:, None] for wave in raw], batch_first=True)
        lengths = torch.tensor([len(wave) for wave in raw])
        return Condition(tokens, torch.arange(tokens.shape[1])[None] < lengths[:, None], self.rate_hz)

    def fingerprint(self):
        return "loudness"


def make(dropout=None, **encoders):
    torch.manual_seed(0)
    return Conditioning(encoders or {"high": Words(), "low": Words()}, 16, dropout or {})


RAW = {"high": ["walk on", "", "run"], "low": [None, "step turn step", "hop"]}


def test_encode_by_hand():
    encoded = make().encode(RAW)
    assert encoded["high"].tokens.shape == (3, 2, 2)
    assert encoded["high"].mask.tolist() == [[True, True], [False, False], [True, False]]
    expected = torch.tensor([[4, 1.19], [2, 1.11]])
    assert torch.allclose(encoded["high"].tokens[0], expected)
    assert (encoded["high"].tokens[1] == 0).all()
    assert encoded["low"].mask.tolist() == [[False] * 3, [True] * 3, [True, False, False]]


def test_without_a_width_the_encoders_own_tokens_come_through():
    """For models that read an encoder's own tokens: no weight that nobody reads, and no gradient to invent."""
    conditioning = Conditioning({"high": Words(), "low": Words()}, 0, {}).eval()
    assert list(conditioning.parameters()) == []
    assert conditioning.device == torch.device("cpu")
    encoded, given = conditioning.encode(RAW), conditioning(RAW)
    for slot in ("high", "low"):
        assert given[slot].tokens[:, 0].eq(0).all()
        assert given[slot].mask[:, 0].all()
        assert torch.equal(given[slot].tokens[:, 1:], encoded[slot].tokens * encoded[slot].mask[..., None])
        assert torch.equal(given[slot].encoded, encoded[slot].tokens)
    nothing = conditioning.unconditional(2)["low"]
    assert nothing.tokens.shape == (2, 1, 2)
    assert nothing.tokens.eq(0).all()


def test_project_puts_the_null_token_first():
    conditioning = make().eval()
    given = conditioning(RAW)
    encoded = conditioning.encode(RAW)
    for slot in ("high", "low"):
        tokens, mask = given[slot].tokens, given[slot].mask
        assert tokens.shape == (3, 1 + encoded[slot].tokens.shape[1], 16)
        assert torch.equal(tokens[:, 0], conditioning.null[slot].expand(3, -1))
        assert mask[:, 0].all()
        assert torch.equal(mask[:, 1:], encoded[slot].mask)
        assert (tokens[~mask] == 0).all(), "padding does not carry the projection's bias"
        real = conditioning.projections[slot](encoded[slot].tokens)
        assert torch.equal(tokens[:, 1:][encoded[slot].mask], real[encoded[slot].mask])
    assert not torch.equal(conditioning.null["high"], conditioning.null["low"])


def test_a_row_does_not_depend_on_the_batch():
    conditioning = make().eval()
    given = conditioning(RAW)
    alone = conditioning({"high": ["run"], "low": ["hop"]})
    for slot in ("high", "low"):
        assert (alone[slot].tokens[0] - given[slot].tokens[2, :2]).abs().max() < 1e-6


def test_nothing_given_leaves_the_null_token():
    conditioning = make().eval()
    given = conditioning({"high": ["", None]})
    nothing = conditioning.unconditional(2)
    for slot in ("high", "low"):
        assert torch.equal(given[slot].tokens, nothing[slot].tokens)
        assert torch.equal(given[slot].mask, nothing[slot].mask)
        assert given[slot].tokens.shape == (2, 1, 16)


def test_every_parameter_gets_a_gradient_even_without_any_condition():
    """Processes that share gradients wait for ever for a parameter that one of them did not use."""
    conditioning = make(high=Words(), style=LabelEncoder(["happy"], 4))
    sum(condition.tokens.sum() for condition in conditioning({"high": ["", ""]}).values()).backward()
    for name, weight in conditioning.named_parameters():
        assert weight.grad is not None or name.startswith("trained."), name


def test_slots_are_dropped_independently_and_only_in_training():
    conditioning = make(dropout={"high": 0.3, "low": 0.1})
    raw = {"high": ["walk"] * 20_000, "low": ["hop"] * 20_000}
    on = {slot: condition.mask[:, 1] for slot, condition in conditioning(raw).items()}
    assert (~on["high"]).float().mean().item() == pytest.approx(0.3, abs=0.015)
    assert (~on["low"]).float().mean().item() == pytest.approx(0.1, abs=0.01)
    both = (~on["high"] & ~on["low"]).float().mean().item()
    assert both == pytest.approx(0.03, abs=0.006)
    assert all(condition.mask[:, 0].all() for condition in conditioning(raw).values())
    conditioning.eval()
    assert all(condition.mask.all() for condition in conditioning(raw).values())


def test_dropping_follows_the_random_state():
    """Resuming training restores torch's generator, and with it what is dropped."""
    conditioning = make(dropout={"high": 0.5, "low": 0.5})
    raw = {"high": ["walk"] * 50, "low": ["hop"] * 50}
    state = torch.get_rng_state()
    first = conditioning(raw)
    after = torch.rand(1)
    torch.set_rng_state(state)
    second = conditioning(raw)
    assert torch.equal(first["high"].mask, second["high"].mask)
    assert torch.equal(after, torch.rand(1))
    generators = [torch.Generator().manual_seed(4) for _ in range(2)]
    third, fourth = (conditioning(raw, generator=generator) for generator in generators)
    assert torch.equal(third["low"].mask, fourth["low"].mask)
    assert not torch.equal(third["low"].mask, first["low"].mask)


def test_frozen_encoders_are_in_no_checkpoint_and_no_gradient():
    conditioning = make(high=Words(), style=LabelEncoder(["happy", "sad"], 4))
    names = set(conditioning.state_dict())
    assert not any("high" in name and "weight" in name and "projections" not in name for name in names)
    assert "trained.style.table.weight" in names
    assert set(conditioning.trainable_state_dict()) == names
    assert all(weight.requires_grad for weight in conditioning.parameters())
    conditioning.train()
    assert not conditioning.encoders["high"].training

    other = make(high=Words(), style=LabelEncoder(["happy", "sad"], 4))
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1.0)
    other.load_state_dict(conditioning.trainable_state_dict())
    raw = {"high": ["walk"], "style": ["sad"]}
    conditioning.eval(), other.eval()
    assert torch.equal(conditioning(raw)["style"].tokens, other(raw)["style"].tokens)


def test_a_copy_shares_frozen_weights_and_cache():
    conditioning = make()
    average = copy.deepcopy(conditioning)
    assert average.encoders["high"] is conditioning.encoders["high"]
    assert average.cache is conditioning.cache
    assert average.null["high"] is not conditioning.null["high"]


def test_equal_frozen_encoders_are_one():
    conditioning = make(a=Words(), b=Words(), c=Words(version=2))
    assert conditioning.encoders["a"] is conditioning.encoders["b"]
    assert conditioning.encoders["a"] is not conditioning.encoders["c"]
    trained = make(a=LabelEncoder(["x"], 4), b=LabelEncoder(["x"], 4))
    assert trained.encoders["a"] is not trained.encoders["b"]


def test_trained_encoder_keeps_its_gradient():
    conditioning = make(style=LabelEncoder(["happy", "sad"], 4))
    conditioning({"style": ["sad", None, ""]})["style"].tokens.square().sum().backward()
    gradient = conditioning.encoders["style"].table.weight.grad
    assert (gradient[1] != 0).any()
    assert (gradient[0] == 0).all()


def test_a_text_is_encoded_once():
    conditioning = make()
    words = conditioning.encoders["high"]
    conditioning(RAW)
    conditioning(RAW)
    conditioning({"high": ["hop", "hop", "new"], "low": ["new", "run", " "]})
    assert sorted(words.read) == sorted({"walk on", "run", "step turn step", "hop", "new"})


def test_precompute_fills_the_folder_and_a_restart_reads_it(tmp_path):
    words = Words()
    first = Conditioning({"high": words, "low": words}, 16, {}, FeatureCache(tmp_path))
    calls = []
    texts = [f"walk {i} times" for i in range(5000)]
    first.precompute({"high": texts, "low": ["hop", "", *texts[:10]]}, progress=lambda *now: calls.append(now))
    assert calls[-1] == (5001, 5001)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert len(words.read) == 5001

    again = Words()
    second = Conditioning({"high": again}, 16, {}, FeatureCache(tmp_path))
    raw = {"high": [texts[7], "hop", texts[4999]]}
    assert torch.equal(second.encode(raw)["high"].tokens, first.encode(raw)["high"].tokens)
    assert again.read == [], "nothing was encoded again"
    other = Conditioning({"high": Words(version=2)}, 16, {}, FeatureCache(tmp_path))
    other.encode(raw)
    assert len(other.encoders["high"].read) == 3, "other weights never read these features"


def test_precompute_is_the_same_in_any_order():
    """Bit for bit, so that a resumed training sees the numbers that the interrupted one saw."""
    texts = [f"a person walks {'and turns ' * (i % 7)}{i} times" for i in range(40)]
    tables = []
    for order in (texts, texts[::-1] + texts[:3]):
        conditioning = Conditioning({"high": SentenceEncoder()}, 8, {})
        conditioning.precompute({"high": order})
        tables.append(conditioning.encode({"high": texts})["high"].tokens)
    assert torch.equal(*tables)


def test_other_inputs_than_text():
    conditioning = make(sound=Loudness(), high=Words()).eval()
    given = conditioning({"sound": [[0.1, 0.2, 0.3], None, [0.5]], "high": ["walk", "run", None]})
    assert given["sound"].rate_hz == 100.0
    assert given["sound"].mask.tolist() == [[True] * 4, [True, False, False, False], [True, True, False, False]]


def test_fingerprints_are_compared():
    conditioning = make()
    conditioning.check_fingerprints(conditioning.fingerprints)
    with pytest.raises(WeightsError, match="slot low was trained with encoder"):
        conditioning.check_fingerprints({**conditioning.fingerprints, "low": "0" * 64}, "model.yaml")


def test_bad_input():
    conditioning = make()
    with pytest.raises(UnknownName, match=r"'hgih'; did you mean 'high'"):
        conditioning({"hgih": ["walk"]})
    with pytest.raises(DataError, match="one input a row"):
        conditioning({"high": ["walk"], "low": ["a", "b"]})
    with pytest.raises(DataError, match="no slot"):
        conditioning({})
    with pytest.raises(DataError, match="expected text"):
        conditioning({"high": [3], "low": ["a"]})
    with pytest.raises(UnknownName, match="slot 'mid'"):
        make(dropout={"mid": 0.1})
    with pytest.raises(ConfigError, match="allowed: 0 to 1"):
        make(dropout={"high": 1.5})
    for name in ("text.high", "keys"):
        with pytest.raises(ConfigError, match="slot name"):
            make(**{name: Words()})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_on_an_accelerator():
    conditioning = Conditioning({"high": SentenceEncoder(), "style": LabelEncoder(["happy"], 4)}, 16, {"high": 0.5})
    raw = {"high": ["a person walks", "", "jump"], "style": ["happy", None, "happy"]}
    expected = conditioning.eval()(raw)
    conditioning.cache = FeatureCache()
    conditioning.to("cuda")
    given = conditioning(raw)
    for slot, condition in given.items():
        assert condition.tokens.is_cuda
        assert condition.mask.is_cuda
        assert (condition.tokens.cpu() - expected[slot].tokens).abs().max() < 1e-4
    conditioning.train()(raw)
    assert conditioning.unconditional(2)["high"].mask.is_cuda


def test_noise_is_added_in_training_only_and_in_proportion():
    def made(noise, seed=0):
        torch.manual_seed(seed)
        conditioning = Conditioning({"label": LabelEncoder(labels=["walk"], dim=512)}, 8, {}, noise={"label": noise})
        conditioning.projections["label"] = torch.nn.Identity()
        return conditioning

    conditioning = made(0.5)
    encoded = {"label": Condition(torch.full((64, 1, 512), 3.0), torch.ones(64, 1, dtype=torch.bool))}
    conditioning.null["label"] = torch.nn.Parameter(torch.zeros(512))
    conditioning.eval()
    assert torch.equal(conditioning.project(encoded)["label"].tokens[:, 1:], encoded["label"].tokens)
    conditioning.train()
    added = conditioning.project(encoded)["label"].tokens[:, 1:] - 3.0
    assert added.std().item() == pytest.approx(1.5, rel=0.02)
    with pytest.raises(ConfigError, match="noise"):
        made(-1.0)


class Listener(Encoder):
    """Counts how often it listens; a token is what the recording's feature says."""

    reads, dim, rate_hz, hears_whole = "audio", 2, 30.0, True

    def __init__(self):
        super().__init__()
        self.lengths = []

    def forward(self, raw):
        self.lengths += [len(audio.features["x"]) for audio in raw]
        rows = [torch.from_numpy(audio.features["x"]) for audio in raw]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return Condition(tokens, length_mask(torch.tensor([len(row) for row in rows])), self.rate_hz)

    def fingerprint(self):
        return "listener"


def test_a_recording_is_heard_once_whole_and_cut():
    whole = Audio(10.0, features={"x": np.arange(600, dtype=np.float32).reshape(300, 2)})

    def part(start, seconds, name="a"):
        first = round(start * 30)
        x = whole.features["x"][first : first + round(seconds * 30)]
        return Audio(seconds, features={"x": x}, part=(name, start, lambda: whole))

    conditioning = Conditioning({"music": Listener()}, 4, {}).eval()
    listener = conditioning.frozen["music"]
    made = conditioning.encode({"music": [part(2.0, 1.0), None, part(9.5, 0.5), part(0.0, 2.0, "b")]})["music"]
    assert made.tokens.shape == (4, 60, 2)
    assert made.mask.sum(1).tolist() == [30, 0, 15, 60]
    assert made.tokens[0, :30].tolist() == whole.features["x"][60:90].tolist()
    assert made.tokens[2, :15].tolist() == whole.features["x"][285:].tolist()
    conditioning.encode({"music": [part(4.0, 1.0)]})
    assert listener.lengths == [300, 300]
    conditioning.encode({"music": [Audio(1.0, features={"x": whole.features["x"][:30]})]})  # no part: as it is
    assert listener.lengths == [300, 300, 30]
    listener.hears_whole = False
    again = conditioning.encode({"music": [part(2.0, 1.0)]})["music"]
    assert torch.equal(again.tokens[0], made.tokens[0, :30])
    assert listener.lengths == [300, 300, 30, 30]


def test_an_input_of_several_rows_is_encoded_once():
    conditioning = make(sound=(listener := Listener())).eval()
    first, second = (Audio(k / 30, features={"x": np.full((k, 2), k, np.float32)}) for k in (2, 3))
    made = conditioning.encode({"sound": [first, None, second, first]})["sound"]
    assert listener.lengths == [2, 3]
    assert made.mask.sum(1).tolist() == [2, 0, 3, 2]
    assert made.tokens[:, 0, 0].tolist() == [2, 0, 3, 2]
    same = conditioning.encode({"sound": [first, first]})["sound"]
    assert listener.lengths == [2, 3, 2]
    assert same.tokens.shape == (2, 2, 2)
    assert torch.equal(same.tokens[0], same.tokens[1])


def test_rows_of_an_encoder_in_training_are_each_their_own():
    class Dropping(Listener):
        frozen = False

        def forward(self, raw):
            made = super().forward(raw)
            return Condition(nn.functional.dropout(made.tokens, 0.5, self.training), made.mask, made.rate_hz)

    conditioning = make(sound=(listener := Dropping())).train()
    sound = Audio(2.0, features={"x": np.ones((60, 2), np.float32)})
    made = conditioning.encode({"sound": [sound, sound]})["sound"]
    assert listener.lengths == [60, 60]
    assert not torch.equal(made.tokens[0], made.tokens[1])
