"""Motions of several conditions, by the generators that put them together: what holds whatever they have learned."""

import pytest
import torch

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Sampling, Spans
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.tokens.masked import MaskedTokens
from motion_platform.motion.representations import get_representation

TOKENIZER = {
    "name": "vqvae",
    "settings": {"codes": 24, "codebooks": 3, "code_width": 16, "width": 16, "depth": 1, "patch": 4, "strides": [1]},
}
LENGTHS = [30, 43, 90]


@pytest.fixture(params=["mdm", "masked_tokens"])
def model(request, make):
    if request.param == "mdm":
        return make.model().eval()
    torch.manual_seed(0)
    settings = {"layers": 2, "width": make.width, "heads": 4, "feed_forward": 48, "dropout": 0.0}
    masked = MaskedTokens(make.spec(), make.slots, tokenizer=TOKENIZER, max_frames=48, overlap=0.6, steps=4, **settings)
    masked.tokenizer.train().encode(make.batch().motion)
    return masked.eval()


def spans_of(rows, lanes=("body",) * 3):
    starts = torch.tensor([0, 30, 73]).repeat(rows)
    lengths = torch.tensor(LENGTHS).repeat(rows)
    return Spans(torch.arange(rows).repeat_interleave(3), starts, lengths, lanes * rows)


def compose(model, given, spans, ids, **sampling):
    return model.compose(given, spans, noise=NoiseSource(ids, 3), sampling=Sampling(**sampling))


def test_a_motion_is_as_long_as_its_spans_and_does_not_depend_on_the_others(model, make):
    given = make.given(6)
    both = compose(model, given, spans_of(2), ["a", "b"])
    assert both.x.shape == (2, sum(LENGTHS), 67)
    assert both.lengths.tolist() == [sum(LENGTHS)] * 2
    assert torch.isfinite(both.x).all()
    second = {slot: type(c)(c.tokens[3:], c.mask[3:]) for slot, c in given.items()}
    alone = compose(model, second, spans_of(1), ["b"])
    assert torch.allclose(both.x[1], alone.x[0], atol=1e-3)
    assert not torch.allclose(both.x[0], alone.x[0], atol=1e-2), "another noise, other conditions"


def test_the_last_condition_does_not_reach_the_first_span(make):
    model = make.model().eval()
    given = make.given(3)
    other = {slot: type(c)(c.tokens.clone(), c.mask) for slot, c in given.items()}
    for condition in other.values():
        condition.tokens[2] += 1.0
    a, b = (compose(model, each, spans_of(1), ["a"], steps=1) for each in (given, other))
    assert torch.allclose(a.x[0, :30], b.x[0, :30], atol=1e-5)
    assert not torch.allclose(a.x[0, 90:], b.x[0, 90:], atol=1e-3)


def test_a_lane_is_made_into_the_others_which_stay(make):
    model = make.model().eval()
    spans = Spans(torch.zeros(2, dtype=torch.int64), torch.tensor([0, 20]), torch.tensor([90, 40]),
                  ("lower_body", "right_arm"))  # fmt: skip
    given = make.given(2)
    first = {slot: type(c)(c.tokens[:1], c.mask[:1]) for slot, c in given.items()}
    whole = Spans(spans.rows[:1], spans.starts[:1], spans.lengths[:1], ("body",))
    base = compose(model, first, whole, ["a"]).x[0]
    made = compose(model, given, spans, ["a"]).x[0]
    arm = get_representation("humanml3d_essential").part_columns("right_arm")
    rest = torch.ones(67, dtype=torch.bool)
    rest[arm] = False
    assert torch.equal(made[:, rest], base[:, rest])
    assert torch.equal(made[:20, arm], base[:20, arm])
    assert torch.equal(made[60:, arm], base[60:, arm])
    assert (made[20:60, arm] - base[20:60, arm]).abs().max() > 1e-3


def test_what_cannot_be_put_together_is_refused_in_one_line(model, make):
    lanes = ("right_arm", "left_arm", "right_arm")
    with pytest.raises(UsageError, match=r"nothing says what the legs do|moves the whole body") as raised:
        compose(model, make.given(3), spans_of(1, lanes), ["a"])
    assert "\n" not in str(raised.value)
    with pytest.raises(UsageError, match="it cannot put several together"):
        Generator.compose(model, make.given(3), spans_of(1), noise=NoiseSource(["a"], 0), sampling=Sampling())
