"""The motion language model on tiny random bases: what it promises whatever it has learned."""

import copy
import random
import shutil

import pytest
import torch
import torch.nn.functional as F

from motion_platform.core.errors import ConfigError, UnknownName, UsageError, WeightsError
from motion_platform.core.schema import Condition, Edit, Motion, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.language.exercises import task_of
from motion_platform.generators.language.wordings import ANSWERS, TASKS
from motion_platform.language_models.decoding import Reader, pick
from motion_platform.model import editing

BASES = ("llama", "untied", "gpt2", "t5")


def said(*texts):
    """What the conditioning gives for texts read by ``plain_text``."""
    width = max(map(len, texts))
    points = torch.tensor([[[float(ord(c))] for c in text.ljust(width)] for text in texts])
    mask = torch.tensor([[True] + [k < len(text) for k in range(width)] for text in texts])
    return {"text_high": Condition(torch.zeros(len(texts), 1 + width, 1), mask, None, points)}


def noise(*ids, seed=0):
    return NoiseSource(ids, seed)


@pytest.fixture
def batch(make):
    batch = make.batch()
    batch.captions = [[f"a person walks {k}", "somebody goes"] for k in range(len(batch.ids))]
    return batch


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("writing", ["tokens", "decimal"])
def test_it_learns_one_batch_and_its_base_stays_as_it_was(tiny_lm, batch, base, writing):
    model = tiny_lm(base, writing=writing, rank=8, alpha=32, dropout=0.0, mixture={"text_to_motion": 1}, wordings=1)
    before = copy.deepcopy([m.state_dict() for m in model.base.modules])
    table = model.base.table.weight.clone()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for step in range(45):
        torch.manual_seed(step % 2)  # the same two draws of exercises
        loss = model.loss(batch, {})["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < (0.8 if writing == "tokens" else 0.95) * losses[0]
    after = [m.state_dict() for m in model.base.modules]
    assert all(
        torch.equal(old[key], new[key])
        for old, new in zip(before, after, strict=True)
        for key in old
        if "lora" not in key
    )
    assert torch.equal(model.base.table.weight, table)
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad), "all take part, as DDP wants it"


def test_an_adapter_holds_nothing_of_its_base(tiny_lm):
    model = tiny_lm()
    names = set(model.state_dict())
    assert names == {
        "rows",
        *(name for name in names if name.startswith("lora.")),
        *(n for n in names if "own_tok" in n),
    }
    lora = sum(p.numel() for n, p in model.named_parameters() if n.startswith("lora."))
    assert lora == 3 * 4 * ((32 + 32) + (32 + 16))  # layers * rank * (query + value, of one key-value head)
    assert model.rows.shape == (24 + 4, 32)


def test_the_first_and_last_layers_alone(tiny_lm, batch):
    model, whole = tiny_lm(layers=2), tiny_lm()
    for kept, place in zip(model.base.body.layers, (0, 2), strict=True):
        assert torch.equal(kept.mlp.up_proj.weight, whole.base.body.layers[place].mlp.up_proj.weight)
    model.eval()
    reader = Reader(model, [[70, 80, 90]], 2)
    reader.read([60])
    made = model.base.body(inputs_embeds=model.embed(torch.tensor([[70, 80, 90, 60]]))).last_hidden_state
    assert torch.allclose(reader.hidden, made[:, -1], atol=1e-5)
    assert model.base.fingerprint != tiny_lm().base.fingerprint
    assert torch.isfinite(model.loss(batch, {})["loss"])
    assert model.generate({}, torch.tensor([9]), noise=noise("a"), sampling=Sampling()).x.shape == (1, 9, 67)
    with pytest.raises(ConfigError, match="layers: got 4; allowed: 1 to 3"):
        tiny_lm(layers=4)
    with pytest.raises(ConfigError, match="no single stack"):
        tiny_lm("t5", layers=1)


@pytest.mark.parametrize("base", ["llama", "gpt2"])
def test_a_fixed_cache_holds_what_a_growing_one_does(tiny_lm, base, monkeypatch):
    """Rows of several lengths, over the edge of what the cache would hold unrounded; the compiler itself left out."""
    monkeypatch.setattr(torch, "compile", lambda body, **how: body)
    prompts, said = [[70, 80, 90], [60] * 70, [1, 2]], torch.randint(0, 100, (9, 3)).tolist()
    hidden = {}
    for decoding in ("cached", "compiled"):
        model = tiny_lm(base, decoding=decoding).eval()
        with torch.inference_mode():
            reader = Reader(model, prompts, 9)
            hidden[decoding] = [reader.hidden]
            for ids in said:
                reader.read(ids)
                hidden[decoding].append(reader.hidden)
    assert reader.mask.shape == (3, 128)
    for one, other in zip(hidden["cached"], hidden["compiled"], strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles for a CPU with a C++ compiler")
def test_a_compiled_step_writes_the_same_answers(tiny_lm):
    made = {}
    for decoding in ("cached", "compiled"):
        model = tiny_lm(decoding=decoding).eval()
        lengths = torch.tensor([24, 17, 9])
        made[decoding] = model.generate({}, lengths, noise=noise("a", "b", "c"), sampling=Sampling()).x
    assert model.base.compiled_step() is model.base.compiled_step()
    assert model.base.compiled_step() is not model.base.body
    assert torch.allclose(made["cached"], made["compiled"], atol=1e-4)


@pytest.mark.parametrize("base", ["llama", "gpt2"])
def test_packed_together_is_as_alone(tiny_lm, base):
    """Exercises in one row give the hidden states that each gives alone, by the base's own plain forward."""
    model = tiny_lm(base).eval()
    made = [
        model.examiner.exercise("text_to_motion", torch.randint(24, (k, 1)), 4 * k, "a person walks", random.Random(0))
        for k in (3, 7, 2)
    ]
    hidden, wanted, in_motion = model._packed(made)
    assert len(hidden) == 1
    start = 0
    for exercise in sorted(made, key=len, reverse=True):
        ids = torch.tensor([[*exercise.prompt, *exercise.answer]])[:, :-1]
        alone = model.base.body(inputs_embeds=model.embed(ids)).last_hidden_state[0]
        assert torch.allclose(hidden[0, start : start + len(alone)], alone, atol=1e-5)
        end = start + len(alone)
        learned = wanted[0, start:end] >= 0
        assert wanted[0, start:end][learned].tolist() == exercise.answer
        assert in_motion[0, start:end][learned].all()
        start = end


def test_the_loss_is_the_likelihood_under_the_grammar(tiny_lm, batch):
    """By hand, with softmax over motion codes and the end mark alone, one sequence at a time."""
    model = tiny_lm(mixture={"text_to_motion": 1}, dropout=0.0).eval()
    torch.manual_seed(5)
    loss = model.loss(batch, {})
    torch.manual_seed(5)
    made, errors = model.exercises(batch, {}), []
    for exercise in made:
        ids = torch.tensor([[*exercise.prompt, *exercise.answer]])
        hidden = model.base.body(inputs_embeds=model.embed(ids[:, :-1])).last_hidden_state[
            0, len(exercise.prompt) - 1 :
        ]
        first = model.vocabulary.text_size
        rows = torch.cat([model.rows[:24], model.rows[model.vocabulary.motion_end - first][None]])
        places = [24 if id == model.vocabulary.motion_end else id - first for id in exercise.answer]
        errors.append(F.cross_entropy(hidden @ rows.T, torch.tensor(places), reduction="none"))
    assert torch.allclose(loss["motion"], torch.cat(errors).mean(), atol=1e-5)
    assert "text" not in loss


@pytest.mark.parametrize("base", BASES)
def test_the_cache_gives_what_reading_everything_again_gives(tiny_lm, base):
    """Prompts of different lengths, padded and cached, against each whole sequence by itself."""
    model = tiny_lm(base).eval()
    first = model.vocabulary.text_size
    prompts = [[70, 80, 90, first + 24], [70, first + 3, first + 24], list(range(60, 71))]
    reader = Reader(model, prompts, 4)
    written = [[], [], []]
    for step in range(4):
        for row, prompt in enumerate(prompts):
            if model.base.seq2seq:
                memory = model.base.body.get_encoder()(inputs_embeds=model.embed(torch.tensor([prompt[:-1]])))[0]
                ids = torch.tensor([[prompt[-1], *written[row]]])
                made = model.base.body.get_decoder()(inputs_embeds=model.embed(ids), encoder_hidden_states=memory)
            else:
                made = model.base.body(inputs_embeds=model.embed(torch.tensor([[*prompt, *written[row]]])))
            assert torch.allclose(reader.hidden[row], made.last_hidden_state[0, -1], atol=1e-4)
        ids = [first + (5 * step + row) % 24 for row in range(3)]
        reader.read(ids)
        written = [[*row, id] for row, id in zip(written, ids, strict=True)]


@pytest.mark.parametrize("base", ["llama", "t5"])
@pytest.mark.parametrize("writing", ["tokens", "decimal"])
def test_motions_have_exactly_the_length_asked_for(tiny_lm, base, writing):
    model = tiny_lm(base, slots=("text_high",), writing=writing).eval()
    lengths = torch.tensor([1, 5, 48, 130])
    given = said("a man walks", "", "he runs", "go")
    made = model.generate(given, lengths, noise=noise(*"abcd"), sampling=Sampling())
    assert made.x.shape == (4, 130, 67)
    assert made.lengths.tolist() == lengths.tolist()
    assert torch.isfinite(made.x).all()
    assert not made.x[~made.mask].any()
    assert made.x[3, 100:].abs().sum() > 0
    assert model.seams(130) == [48, 84, 120]
    assert model.seams(48) == []


def test_a_motion_depends_on_its_id_seed_and_text_not_on_the_batch(tiny_lm):
    model = tiny_lm(slots=("text_high",), temperature=1.0, top_p=1.0).eval()
    lengths = torch.tensor([40, 24])
    both = model.generate(said("a man walks", "run"), lengths, noise=noise("a", "b"), sampling=Sampling())
    alone = model.generate(said("run"), lengths[1:], noise=noise("b"), sampling=Sampling())
    assert torch.allclose(both.x[1, :24], alone.x[0], atol=1e-5)
    other = model.generate(said("run"), lengths[1:], noise=noise("b", seed=1), sampling=Sampling())
    assert not torch.allclose(alone.x, other.x)


def test_sampling_follows_the_probabilities():
    scores = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0]).log().expand(20_000, -1)
    uniform = (torch.arange(20_000) + 0.5) / 20_000
    counts = torch.bincount(pick(scores, uniform, 1.0, 1.0), minlength=5) / 20_000
    assert torch.allclose(counts, torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0]), atol=1e-3)
    nucleus = torch.bincount(pick(scores, uniform, 1.0, 0.7), minlength=5) / 20_000
    assert torch.allclose(nucleus, torch.tensor([0.625, 0.375, 0, 0, 0]), atol=1e-3)
    sharp = torch.bincount(pick(scores, uniform, 0.5, 1.0), minlength=5) / 20_000
    squared = torch.tensor([0.25, 0.09, 0.0225, 0.0025, 0.0])
    assert torch.allclose(sharp, squared / squared.sum(), atol=1e-3)
    assert pick(scores[:2], None, 0.0, 0.9).tolist() == [0, 0]


@pytest.mark.parametrize("how", ["prefix", "in_between", "key_frames", "long"])
def test_what_an_edit_keeps_is_exact_and_its_end_is_made(tiny_lm, batch, how):
    model = tiny_lm().eval()
    lengths = torch.tensor([90, 60, 17, 9]) if how == "long" else None
    edit = {
        "prefix": lambda: editing.prefix(batch.motion, 0.4),
        "long": lambda: editing.prefix(batch.motion, 0.4, lengths),
        "in_between": lambda: editing.in_between(batch.motion, 0.25, 0.1),
        "key_frames": lambda: editing.key_frames(batch.motion, [0, 5, -1]),
    }[how]()
    lengths = batch.lengths if lengths is None else lengths
    made = model.generate({}, lengths, noise=noise(*batch.ids), sampling=Sampling(), edit=edit)
    assert torch.equal(made.x[edit.keep], edit.x[edit.keep])
    assert torch.isfinite(made.x).all()
    made_anew = made.mask[..., None] & ~edit.keep
    assert not torch.equal(made.x[made_anew], edit.x[made_anew])


def test_frames_that_are_not_kept_are_never_seen(tiny_lm, batch):
    model = tiny_lm().eval()
    edit = editing.key_frames(batch.motion, [0, 6])
    hidden = Edit(torch.where(edit.keep, edit.x, torch.full_like(edit.x, 1e3)), edit.keep)
    one, two = (
        model.generate({}, batch.lengths, noise=noise(*batch.ids), sampling=Sampling(), edit=e) for e in (edit, hidden)
    )
    assert torch.equal(one.x, two.x)


def test_what_is_known_decides_what_is_asked():
    assert task_of([], 9, "walk") == "text_to_motion"
    assert task_of([], 9, "") == "random_motion"
    assert task_of([0, 1, 2], 9, "") == "motion_prediction"
    assert task_of([0, 1, 7, 8], 9, "") == "motion_in_between"
    assert task_of([0], 9, "") == task_of([8], 9, "") == task_of([2, 5], 9, "") == "keyframes_to_motion"


def test_every_task_is_asked_and_answered(tiny_lm, batch):
    model = tiny_lm(mixture=dict.fromkeys(TASKS, 1.0), tasks_a_clip=40)
    made = model.exercises(batch, {})
    assert {exercise.task for exercise in made} == set(TASKS)
    vocabulary = model.vocabulary
    for exercise in made:
        opening = vocabulary.text_start if exercise.task in ANSWERS else None
        assert exercise.prompt[-1] == (opening or vocabulary.motion_start)
        assert exercise.answer[-1] == (vocabulary.text_end if opening else vocabulary.motion_end)
        if exercise.task == "length_from_text":
            assert float(vocabulary.text.decode(exercise.answer[:-1])) in {2.0, 1.6, 0.8, 0.4}  # 40, 33, 17, 8 frames


def test_captions_are_sentences_and_lengths_numbers(tiny_lm, batch):
    model = tiny_lm(slots=("text_high",), max_words=7).eval()
    captions = model.describe(batch.motion, noise=noise(*batch.ids), sampling=Sampling())
    assert len(captions) == 4
    assert all(caption.strip() and caption.isprintable() and len(caption) <= 7 for caption in captions)
    frames = model.natural_lengths(said("a man walks", "run"))
    assert frames.shape == (2,)
    assert int(frames.min()) >= 2
    assert int(frames.max()) <= 48
    assert model.natural_lengths(said("a man walks", "")) is None
    assert tiny_lm(mixture={"text_to_motion": 1}, slots=("text_high",)).natural_lengths(said("go")) is None


def test_a_length_is_the_middle_one_of_seven_drawn_and_does_not_depend_on_its_neighbours(tiny_lm, monkeypatch):
    model, drawn = tiny_lm(slots=("text_high",)).eval(), []
    write = model.answers._write

    def kept(prompts, grammars, noise, temperature):
        write(prompts, grammars, noise, temperature=temperature)
        drawn.append([grammar.seconds() for grammar in grammars])

    monkeypatch.setattr(model.answers, "_write", kept)
    frames = model.natural_lengths(said("a man walks", "run"))
    (seconds,) = drawn
    assert len(seconds) == 14
    assert len(set(seconds)) > 2  # drawn, not the most likely one seven times
    wanted = [sorted(seconds[first : first + 7])[3] * model.spec.fps for first in (0, 7)]
    assert frames.tolist() == [min(max(round(n), 2), model.max_frames) for n in wanted]
    assert model.natural_lengths(said("run")).tolist() == frames[1:].tolist()


def test_guidance_one_is_none_and_more_changes_the_motion(tiny_lm):
    model = tiny_lm(slots=("text_high",)).eval()
    given, lengths = said("a man walks", "run"), torch.tensor([40, 30])
    plain, one, more = (
        model.generate(given, lengths, noise=noise("a", "b"), sampling=Sampling(guidance=g))
        for g in ({}, {"text_high": 1.0}, {"text_high": 9.0})
    )
    assert torch.equal(plain.x, one.x)
    assert not torch.equal(plain.x, more.x)


def test_half_precision_weights_of_the_base(tiny_lm, batch):
    model = tiny_lm(base_dtype="bfloat16", dropout=0.0)
    assert model.base.table.weight.dtype == torch.bfloat16
    assert all(p.dtype == torch.float32 for p in model.parameters() if p.requires_grad)
    torch.manual_seed(0)
    half = model.loss(batch, {})["loss"]
    half.backward()
    full = tiny_lm(dropout=0.0)
    torch.manual_seed(0)
    assert abs(float(half.detach()) - float(full.loss(batch, {})["loss"].detach())) < 0.05
    assert model.eval().generate({}, torch.tensor([8]), noise=noise("a"), sampling=Sampling()).x.shape == (1, 8, 67)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_checkpointing_and_attention_change_no_gradient(tiny_lm, batch, attention):
    grads = []
    for settings in ({}, {"checkpointing": True, "attention": attention}):
        model = tiny_lm(dropout=0.0, **settings).train()
        torch.manual_seed(0)
        model.loss(batch, {})["loss"].backward()
        grads.append(model.rows.grad)
    assert torch.allclose(*grads, atol=1e-6)


def test_bad_input_is_one_line(tiny_lm, tiny_bases, batch, tmp_path):
    model = tiny_lm(slots=("text_high",)).eval()
    lengths = torch.tensor([8])
    cases = [
        (lambda: tiny_lm(mixture={"text_to_moton": 1}), UnknownName, "did you mean 'text_to_motion'"),
        (lambda: tiny_lm(mixture={"text_to_motion": 0}), ConfigError, "every weight is 0"),
        (lambda: tiny_lm(mixture={"text_to_motion": -1}), ConfigError, "0 or more"),
        (lambda: tiny_lm(adapted=["q_poj"]), UsageError, "has no layer 'q_poj'; it has: .*q_proj"),
        (lambda: tiny_lm(tokenizer={"nam": "vqvae"}), ConfigError, r"got keys \['nam'\]"),
        (lambda: tiny_lm(tokenizer="recogniser"), ConfigError, "is a recogniser, no motion tokenizer"),
        (lambda: tiny_lm(max_frames=7), ConfigError, "at least two steps"),
        (lambda: tiny_lm(top_p=0.0), ConfigError, "top_p"),
        (lambda: tiny_lm(quantise="4bit"), ConfigError, "needs a CUDA GPU"),
        (
            lambda: model.generate(said("walk " * 200), lengths, noise=noise("a"), sampling=Sampling()),
            UsageError,
            "reads up to 512; give a shorter text",
        ),
        (
            lambda: model.generate(said("walk"), lengths, noise=noise("a"), sampling=Sampling(steps=3)),
            UsageError,
            "are for diffusion",
        ),
        (
            lambda: model.generate(said("walk"), torch.tensor([0]), noise=noise("a"), sampling=Sampling()),
            UsageError,
            "at least 1 frame",
        ),
        (
            lambda: model.describe(
                Motion(batch.motion.x, torch.zeros(4, dtype=torch.int64), model.spec),
                noise=noise(*batch.ids),
                sampling=Sampling(),
            ),
            UsageError,
            "without frames",
        ),
        (
            lambda: tiny_lm().generate(
                {},
                batch.lengths,
                noise=noise(*"abcd"),
                sampling=Sampling(),
                edit=editing.body_part(batch.motion, "left_arm"),
            ),
            UsageError,
            "whole frames",
        ),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    from motion_platform.language_models import base as lm_lora

    with pytest.raises(WeightsError, match="is no language model"):
        lm_lora.load(str(empty), layers=None, dtype="float32", attention="sdpa", quantise=None)
