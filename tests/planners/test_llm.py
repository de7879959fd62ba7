"""A language model under a grammar: any weights give a plan; without one, prose is refused."""

import pytest

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.planners import low_texts
from motion_platform.planners.llm import LanguageModelPlanner, actions_in, prompt
from motion_platform.planners.low_texts import Example


@pytest.fixture(scope="module")
def planner(table, tiny_language_model):
    return LanguageModelPlanner(str(tiny_language_model), k=2, most=3, table=str(table))


def test_the_prompt_is_the_papers():
    shown = [Example("a person walks", "walk"), Example("he bows", "stand, bow")]
    assert prompt("she waves", shown) == (
        "Convert scene to motion sequences according to the examples.\n\n"
        "Scene: a person walks\nMotions: walk\n\nScene: he bows\nMotions: stand, bow\n\nScene: she waves\nMotions:"
    )


def test_whatever_the_weights_say_the_answer_is_a_list_of_known_actions(planner, table):
    known = set(low_texts.known_actions(low_texts.read(str(table))))
    sentences = [f"sentence {k}" for k in range(4)]
    drawn = set()
    for sample in range(3):
        for plan in planner.plan(sentences, sample=sample):
            assert {segment.action for segment in plan.segments} <= known
            drawn.add(plan.low_text())
    assert len(drawn) > 3, "samples differ"
    assert planner.plan(sentences, sample=1, seed=4) == planner.plan(sentences, sample=1, seed=4)


def test_nearest_and_random_examples(table, tiny_language_model):
    nearest = LanguageModelPlanner(str(tiny_language_model), k=1, table=str(table))
    random = LanguageModelPlanner(str(tiny_language_model), k=1, table=str(table), examples="random")
    sentences = ["a person sits down on a chair"] * 2 + ["a woman waves her right hand"]
    assert [shown[0].caption for shown in nearest.shown(sentences)] == sentences
    assert random.shown(sentences)[0] == random.shown(sentences)[1]
    assert any(random.shown(sentences, seed=k) != random.shown(sentences) for k in range(1, 5))


def test_an_answer_in_prose_is_one_line(table, tiny_language_model):
    free = LanguageModelPlanner(str(tiny_language_model), k=1, table=str(table), restricted=False)
    (answer,) = free.answers(["a person walks"])
    assert answer
    assert "\n" not in answer
    assert actions_in(" walk forward, bow. ", "x") == ["walk forward", "bow"]
    for prose in ("Sure! The person walks forward. Then they bow.", "", ", ,", "a, " * 13):
        with pytest.raises(DataError, match=r"x answered .* no list of actions; give restricted=true") as caught:
            actions_in(prose, "x")
        assert "\n" not in str(caught.value)


def test_a_prompt_that_is_too_long_says_so(table, tiny_language_model):
    with pytest.raises(DataError, match=r"k: a prompt with 7 examples has .* reads 512"):
        LanguageModelPlanner(str(tiny_language_model), k=7, table=str(table)).plan(["walks " * 100])


def test_wrong_settings(table, tmp_path):
    from transformers import T5Config, T5ForConditionalGeneration

    for wrong, said in (
        ({"k": 0}, "k: got 0"),
        ({"examples": "x"}, "examples: got"),
        ({"top_p": 0}, "top_p 0"),
        ({"most": 0}, "most: got 0"),
    ):
        with pytest.raises(ValueError, match=said):
            LanguageModelPlanner(table=str(table), **wrong)
    config = T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="reads and answers apart"):
        LanguageModelPlanner(str(tmp_path), table=str(table))
