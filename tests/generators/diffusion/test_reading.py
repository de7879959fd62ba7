"""Reading conditions: masks, the contrastive loss against its definition, lengths, and that learning works."""

import math

import pytest
import torch

from motion_platform.core.schema import Batch, Condition
from motion_platform.generators.diffusion.reading import TEMPERATURE, alignment_loss, same_labels


def test_contrast_equals_its_definition():
    torch.manual_seed(0)
    text, motion = torch.randn(5, 7), torch.randn(5, 7)
    told = torch.tensor([True, True, False, True, True])
    same = torch.eye(5, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    rows = [0, 1, 3, 4]
    total = 0.0
    for from_, to in ((text, motion), (motion, text)):
        for i in rows:
            score = [math.exp(torch.cosine_similarity(from_[i], to[j], dim=0).item() / TEMPERATURE) for j in rows]
            right = sum(s for s, j in zip(score, rows, strict=True) if same[i, j])
            total += -math.log(right / sum(score)) / len(rows) / 2
    assert alignment_loss(text, motion, told, same).item() == pytest.approx(total, rel=1e-5)
    assert alignment_loss(text, motion, torch.zeros(5, dtype=torch.bool), same).item() == 0


def test_same_labels_are_partners_and_no_labels_are_not():
    labels = [{"content": "walk"}, {}, {"content": "walk"}, {}, {"content": "run"}]
    same = same_labels(Batch(list("abcde"), {}, torch.ones(5), labels=labels))
    expected = torch.eye(5, dtype=torch.bool)
    expected[0, 2] = expected[2, 0] = True
    assert torch.equal(same, expected)


def test_without_layers_tokens_pass_through_and_with_layers_what_is_off_has_no_influence(make):
    given = make.given(4)
    plain = make.model().reader(given)
    assert all(torch.equal(plain[slot].tokens, given[slot].tokens) for slot in given)
    reader = make.model(text_layers=2).eval().reader
    changed = {s: Condition(torch.where(c.mask[..., None], c.tokens, -7.0), c.mask) for s, c in given.items()}
    one, two = reader(given), reader(changed)
    for slot, condition in given.items():
        on = condition.mask
        assert torch.equal(one[slot].mask, on)
        torch.testing.assert_close(one[slot].tokens[on], two[slot].tokens[on])
    first, second = (given | {"text_low": given["text_low"].drop(rows)} for rows in (None, torch.zeros(4).bool()))
    assert not torch.allclose(reader(first)["text_high"].tokens[:, 0], reader(second)["text_high"].tokens[:, 0])


def test_alignment_is_learned(make):
    model = make.model(architecture="decoder", text_layers=1, alignment_loss=1.0)
    given, batch = make.given(4), make.batch((40, 33, 17, 8))
    x0 = model.spec.normalise(batch.motion.x)
    optimiser = torch.optim.Adam(model.reader.parameters(), 1e-3)
    first = None
    for _ in range(60):
        optimiser.zero_grad()
        loss = model.reader.losses(model.reader(given), x0, batch)["alignment"]
        first = first or loss.item()
        loss.backward()
        optimiser.step()
    assert first > 0.5
    assert loss.item() < 0.1 * first


def test_the_motion_side_does_not_read_padding(make):
    model, batch = make.model(alignment_loss=1.0, patch=4).eval(), make.batch((40, 33, 17, 8))
    x0 = torch.where(batch.motion.mask[..., None], model.spec.normalise(batch.motion.x), 0.0)
    alone = torch.cat(
        [model.reader.embed(x0[i : i + 1, :n], batch.lengths[i : i + 1]) for i, n in enumerate(batch.lengths)]
    )
    torch.testing.assert_close(model.reader.embed(x0, batch.lengths), alone, atol=1e-5, rtol=1e-4)


def test_natural_length_is_learned_from_the_conditions(make):
    model, given, batch = make.model(natural_length=True), make.given(4), make.batch((40, 33, 17, 8))
    optimiser = torch.optim.Adam(model.reader.length.parameters(), 3e-2)
    for _ in range(200):
        optimiser.zero_grad()
        model.loss(batch, given)["loss"].backward()
        optimiser.step()
    assert torch.equal(model.natural_lengths(given), batch.lengths)
    assert make.model().natural_lengths(given) is None


def test_natural_length_sends_no_gradient_into_the_conditions(make):
    model, given, batch = make.model(natural_length=True, text_layers=1), make.given(4), make.batch()
    for condition in given.values():
        condition.tokens.requires_grad_()
    loss = model.reader.losses(model.reader(given), model.spec.normalise(batch.motion.x), batch)["length"]
    loss.backward()
    assert all(condition.tokens.grad is None for condition in given.values())
    assert model.reader.length[1].bias.grad.abs() > 0
