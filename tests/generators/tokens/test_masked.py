"""The masked transformer on an untrained tokenizer: what it promises whatever it has learned."""

from dataclasses import replace

import pytest
import torch

from motion_platform.core.errors import ConfigError, UnknownName, UsageError
from motion_platform.core.schema import Batch, Sampling, Spans
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.tokens.masked import MaskedTokens
from motion_platform.generators.tokens.seams import given_codes
from motion_platform.model import editing

TOKENIZER = {
    "name": "vqvae",
    "settings": {"codes": 24, "codebooks": 3, "code_width": 16, "width": 16, "depth": 1, "patch": 4, "strides": [1]},
}


@pytest.fixture
def masked(make):
    def build(slots=make.slots, **settings):
        torch.manual_seed(0)
        settings = {
            "tokenizer": TOKENIZER,
            "layers": 2,
            "width": make.width,
            "heads": 4,
            "feed_forward": 48,
            "dropout": 0.0,
            "max_frames": 48,
            "overlap": 0.6,
            "steps": 4,
        } | settings
        model = MaskedTokens(make.spec(), slots, **settings)
        model.tokenizer.train().encode(make.batch().motion)  # its codebook takes its first values from motions
        return model.eval()

    return build


def run(model, make, lengths=(40, 33, 17, 8), ids=None, given=None, edit=None, **sampling):
    ids = ids or [f"s{i}" for i in range(len(lengths))]
    given = make.given(len(lengths)) if given is None else given
    return model.generate(
        given, torch.tensor(lengths), noise=NoiseSource(ids, 0), sampling=Sampling(**sampling), edit=edit
    )


def test_it_learns_one_batch(masked, make):
    model = masked(crop=0.0, tempo=0.0, alignment_loss=0.2).train()
    batch = make.batch()
    batch = Batch(batch.ids, {}, batch.lengths, batch.motion, labels=[{}] * 4)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for step in range(60):
        torch.manual_seed(step % 6)
        loss = model.loss(batch, make.given(4))
        optimiser.zero_grad()
        loss["loss"].backward()
        optimiser.step()
        losses.append(float(loss["loss"].detach()))
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6])
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad), "all take part, as DDP wants it"


def test_lengths_alone_are_trained_where_that_is_asked(masked, make):
    model = masked(lengths_only=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    model.loss(make.batch(), make.given(4))["loss"].backward()
    optimiser.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"length.0.weight", "length.0.bias", "length.1.weight", "length.1.bias"}
    with pytest.raises(ConfigError, match="lengths_only"):
        masked(slots=(), lengths_only=True)


LABELS = {"content": ["walk", "kick", "other"], "style": ["normal", "sad"]}


def with_states(given, width=12):
    """The same conditions with an encoder's own token states."""
    random = torch.Generator().manual_seed(5)
    return {
        slot: replace(c, encoded=torch.randn(len(c.tokens), c.tokens.shape[1] - 1, width, generator=random))
        for slot, c in given.items()
    }


def test_labels_alone_are_trained_where_that_is_asked(masked, make):
    model = masked(labels=LABELS, encoder_width=12, labels_only=True).train()
    assert model.words_alone
    assert not masked(labels=LABELS, encoder_width=12).words_alone
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    batch = replace(make.batch(), labels=[{"content": "kick", "style": "sad"}] * 4)
    loss = model.loss(batch, with_states(make.given(4)))
    assert set(loss) == {"loss", "labels", "content_right", "style_right"}
    loss["loss"].backward()
    optimiser.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("labels.") and ".rows." not in name for name in changed)
    with pytest.raises(ConfigError, match="labels_only"):
        masked(labels_only=True)


def test_labels_that_say_nothing_yet_change_nothing_and_then_tell_motions_apart(masked, make):
    plain, model = masked(), masked(labels=LABELS, encoder_width=12)
    model.load_state_dict(plain.state_dict(), strict=False)
    given = with_states(make.given(4))
    spans = Spans(torch.tensor([0, 0, 1]), torch.tensor([0, 20, 0]), torch.tensor([20, 20, 24]), ("body",) * 3)
    ways = (
        lambda of: run(of, make, given=given).x,
        lambda of: (
            of.compose({s: with_states(make.given(3))[s] for s in given}, spans, noise=NoiseSource(["a", "b"], 0)).x
        ),
    )
    same = [way(model) for way in ways]
    for way, made in zip(ways, same, strict=True):
        torch.testing.assert_close(made, way(plain))
    for rows in model.labels.rows.values():
        torch.nn.init.normal_(rows, std=3.0)
    for way, made in zip(ways, same, strict=True):
        assert not torch.allclose(way(model), made, atol=1e-3)
    silent = {slot: c.drop() for slot, c in given.items()}
    torch.testing.assert_close(run(model, make, given=silent).x, run(plain, make, given=silent).x)


def read_labels(masked, **settings):
    """A model whose labels say something."""
    model = masked(labels=LABELS, encoder_width=12, **settings)
    for rows in model.labels.rows.values():
        torch.nn.init.normal_(rows, std=3.0)
    return model


def other_words(given):
    """The same token states of the encoder, read as other words."""
    return {slot: replace(c, tokens=c.tokens.flip(0)) for slot, c in given.items()}


def test_labels_are_a_link_of_the_guidance_chain_of_their_own(masked, make):
    plain, model = masked(), read_labels(masked)
    model.load_state_dict(plain.state_dict(), strict=False)
    given = with_states(make.given(4))
    nothing = dict.fromkeys(model.slots, 0.0)
    by_label = run(model, make, given=given, guidance={"labels": 1.0} | nothing).x
    torch.testing.assert_close(
        run(model, make, given=other_words(given), guidance={"labels": 1.0} | nothing).x, by_label
    )
    assert not torch.allclose(by_label, run(model, make, given=given, guidance={"labels": 0.0} | nothing).x, atol=1e-3)
    words = dict.fromkeys(model.slots, 1.0)
    torch.testing.assert_close(
        run(model, make, given=given, guidance={"labels": 0.0} | words).x,
        run(plain, make, given=given, guidance=words).x,
    )
    with pytest.raises(UnknownName, match="labels"):
        run(plain, make, given=given, guidance={"labels": 1.0})


def test_a_row_that_learns_from_labels_alone_does_not_see_its_words(masked, make):
    given, batch = with_states(make.given(4)), replace(make.batch(), labels=[{"content": "kick"}] * 4)

    def first(share, words):
        torch.manual_seed(3)
        return read_labels(masked, labels_alone=share, crop=0.0, tempo=0.0).train().loss(batch, words)["first"]

    assert first(1.0, given) == first(1.0, other_words(given))
    assert first(0.0, given) != first(0.0, other_words(given))


def test_what_a_neighbour_is_can_be_seen_from_the_start(masked, make):
    """Codes much smaller than the positions beside them are lost in the first normalisation."""
    model = masked()
    sizes = model.books.detach()[0].norm(dim=-1)
    assert float(sizes.min()) > 0.3 * float(model.positions[1].norm())
    given = make.given(1)
    memory = model._memory(model.reader(given), None)
    real, book = torch.ones(1, 10, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    out = []
    for code in (3, 17):
        ids = torch.full((1, 10, 3), 5)
        ids[0, 4, 0], ids[0, 5, 0] = code, model.codes
        out.append(model.logits(model.embed(ids, book + 1), book, real, memory)[0, 5].detach())
    assert float((out[0] - out[1]).std()) > 0.02 * float(out[0].std())


def test_the_tokenizer_is_not_trained(masked, make):
    model = masked().train()
    before = {k: v.clone() for k, v in model.tokenizer.state_dict().items()}
    batch = make.batch()
    model.loss(Batch(batch.ids, {}, batch.lengths, batch.motion, labels=[{}] * 4), make.given(4))["loss"].backward()
    assert all(torch.equal(v, before[k]) for k, v in model.tokenizer.state_dict().items())
    assert not any(p.requires_grad for p in model.tokenizer.parameters())


def test_a_sample_depends_on_its_id_and_not_on_its_batch(masked, make):
    model = masked()
    given = make.given(4)
    together = run(model, make, given=given)
    assert torch.isfinite(together.x).all()
    for row, length in enumerate((40, 33, 17, 8)):
        assert together.x[row, length:].abs().sum() == 0
        alone = run(model, make, (length,), [f"s{row}"], make.row(given, row))
        assert torch.allclose(alone.x[0], together.x[row, :length], atol=1e-5)
    other = run(model, make, ids=[f"t{i}" for i in range(4)], given=given)
    assert not torch.allclose(other.x, together.x, atol=1e-3)


def test_guidance_of_one_is_the_condition_alone_and_of_nought_nothing(masked, make):
    model = masked()
    given = make.given(4)
    off = {slot: c.drop() for slot, c in given.items()}
    nothing = run(model, make, given=given, guidance={"text_high": 0.0, "text_low": 0.0})
    assert torch.allclose(nothing.x, run(model, make, given=off).x, atol=1e-5)
    with pytest.raises(UnknownName, match="text_hgh"):
        run(model, make, guidance={"text_hgh": 2.0})


def test_kept_frames_are_exact_and_the_rest_is_not_the_given_motion(masked, make):
    model = masked()
    motion = make.batch((40, 33)).motion
    for edit, kept in (
        (editing.prefix(motion, 0.8), slice(0, 16)),
        (editing.in_between(motion, 0.5, 0.0), slice(0, 10)),
        (editing.key_frames(motion, [12]), slice(12, 13)),
    ):
        made = run(model, make, (40, 33), edit=edit)
        assert torch.equal(made.x[:, kept], motion.x[:, kept])
        assert not torch.allclose(made.x[:, 24:30], motion.x[:, 24:30], atol=1e-2)


def test_given_steps_are_their_own_codes(masked, make):
    model = masked()
    motion = make.batch((40, 40)).motion
    ids, kept = given_codes(model, editing.prefix(motion, 1.0), torch.tensor([40, 40]))
    assert kept[:, :4].all(), "all but the step at the edge"
    assert not kept[:, 4:].any()
    whole = model.tokenizer.encode(motion).ids
    assert torch.equal(ids[:, :3, 0], whole[:, :3, 0])
    _, single = given_codes(model, editing.key_frames(motion, [0, 1, 2, 3, 20, 21, 22, 23]), torch.tensor([40, 40]))
    assert single.nonzero()[:, 1].tolist() == [0, 5, 0, 5], "a step alone is given, edge or not"


def test_what_it_cannot_do_is_refused(masked, make):
    model = masked()
    motion = make.batch((40, 33)).motion
    with pytest.raises(UsageError, match="whole frames"):
        run(model, make, (40, 33), edit=editing.body_part(motion, "left_arm"))
    with pytest.raises(UsageError, match="no samplers"):
        run(model, make, sampler="ddim")
    with pytest.raises(ConfigError, match="top_p"):
        masked(top_p=0.0)
    with pytest.raises(ConfigError, match="overlap"):
        masked(overlap=9.0)


def test_long_motions_go_on_from_what_was_written(masked, make):
    model = masked()
    assert model.seams(48) == []
    assert model.seams(150)[0] == 48
    long = run(model, make, (150, 40), ["a", "b"])
    assert torch.isfinite(long.x).all()
    first = run(model, make, (48,), ["a"], make.row(make.given(2), 0))
    assert torch.allclose(long.x[0, :24], first.x[0, :24], atol=1e-5), "the beginning is that of a short motion"


def test_lengths_are_learned_as_a_distribution(masked, make):
    model = masked(slots=("text_high",)).train()
    given = make.given(4, ("text_high",))
    optimiser = torch.optim.Adam(model.parameters(), 2e-2)
    batch = make.batch()
    batch = Batch(batch.ids, {}, batch.lengths, batch.motion, labels=[{}] * 4)
    for step in range(80):
        torch.manual_seed(step)
        loss = model.loss(batch, given)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    said = model.eval().natural_lengths(given)
    assert said.tolist() == [40, 36, 20, 8], "in steps of the tokenizer"


def test_without_slots_there_is_no_length_and_still_a_motion(masked, make):
    model = masked(slots=())
    assert model.natural_lengths({}) is None
    assert run(model, make, (20, 30), given={}).x.shape[1] == 30
