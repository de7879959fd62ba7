"""Lists of known items: whatever is drawn, the answer is one."""

import itertools
import random

import pytest

from motion_platform.language_models import base
from motion_platform.language_models.lists import FreeLine, ItemList, Items
from motion_platform.language_models.plain import line_end, words_of

ITEMS = ["walk", "walk forward", "bow", "wave", "wave right hand"]
SIZES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def loaded():
    config = {"model_type": "llama", **SIZES}
    return base.load(config, layers=None, dtype="float32", attention="eager", quantise=None)


def draw(grammar, chance):
    steps = 0
    while not grammar.done:
        legal = grammar.legal().nonzero()[:, 0].tolist()
        assert legal, f"nothing may follow {grammar.ids}"
        grammar.write(chance.choice(legal))
        steps += 1
    assert steps <= grammar.longest
    return grammar


@pytest.mark.parametrize("items", [ITEMS, ITEMS[:1], ["bow", "wave"]])
def test_every_draw_is_a_list_of_known_items(loaded, items):
    tree, chance, drawn = Items(loaded, items), random.Random(0), set()
    for _ in range(300):
        grammar = draw(ItemList(tree), chance)
        answer = grammar.answer()
        assert loaded.text.decode(grammar.ids).strip() == ", ".join(answer)
        assert set(answer) <= set(items)
        assert all(a != b for a, b in itertools.pairwise(answer))
        assert all(answer.count(item) <= 2 for item in items)
        drawn.add(tuple(answer))
    assert {(item,) for item in items} <= drawn, "an item that another one goes on from may end there"
    if len(items) > 1:
        assert any(len(answer) > 2 for answer in drawn)


def test_no_items_are_refused(loaded):
    for wrong in ([], ["walk", " "]):
        with pytest.raises(ValueError, match="empty"):
            Items(loaded, wrong)


def test_a_free_line_ends_and_holds_no_line_break(loaded):
    words = words_of(loaded)
    assert words[-1] == line_end(loaded) == ord("\n")
    assert words[:-1].tolist() == list(range(32, 127)), "of single bytes, printable ASCII is text"
    grammar = FreeLine(words, longest=6)
    assert not grammar.legal()[-1], "not an empty line"
    draw(grammar, random.Random(1))
