from __future__ import annotations

import pytest

from motion_platform.core.errors import UnknownName
from motion_platform.studio.offers import Offers


@pytest.fixture(scope="module")
def offers() -> Offers:
    return Offers()


def test_every_card_that_a_page_can_show_is_offered_with_its_default_first(offers: Offers) -> None:
    from motion_platform.core import cards, tasks

    for name in cards.names("tasks"):
        card = tasks.load(name)
        if card.default_model in offers.models and card.writes in ("motion", "captions", "lengths"):
            assert offers.for_task(offers.tasks[name])[0] == card.default_model


def test_models_of_one_representation_answer_one_prompt(offers: Offers) -> None:
    found = offers.for_task(offers.tasks["text_to_motion"])
    assert {"text_to_motion_masked", "text_to_motion_small", "motion_lm_small"} <= set(found)
    assert "conductor_small" not in found
    assert "recogniser" not in found


def test_a_model_that_stands_on_a_language_model_also_captions(offers: Offers) -> None:
    """The page talks with a model that both makes motion of words and words of motion."""
    assert offers.for_task(offers.tasks["motion_to_text"]) == ["recogniser", "motion_lm_small"]
    assert "motion_lm_small" in offers.for_task(offers.tasks["text_to_motion"])


def test_labels_come_from_the_models(offers: Offers) -> None:
    assert "grand" in offers.as_data()["models"]["conductor_small"]["labels"]["style"]


@pytest.mark.parametrize("name", ["../runs/x", "/etc", "owner/name", "text_to_motion_mask"])
def test_only_what_is_offered_can_be_asked_for(offers: Offers, name: str) -> None:
    with pytest.raises(UnknownName):
        offers.check("text_to_motion", [name])
    with pytest.raises(UnknownName):
        offers.check(name, [None])
