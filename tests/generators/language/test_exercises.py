"""Denoising: what is lost, and that the exercise asks for all of it."""

import random

import pytest
import torch

from motion_platform.core.errors import ConfigError
from motion_platform.generators.language.exercises import GAP, LOST, SPAN, spans, with_gaps


@pytest.mark.parametrize("count", [1, 2, 3, 20, 49])
def test_so_many_places_are_lost_and_never_all(count):
    runs = []
    for seed in range(50):
        lost = spans(count, random.Random(seed))
        assert len(lost) == min(max(1, round(LOST * count)), count - 1)
        assert lost <= set(range(count))
        runs += [1 for k in lost if k - 1 not in lost]
    if count == 49:
        assert 50 < sum(runs) < 50 * 7, "in runs, not place by place"
        assert SPAN > 1


def test_a_caption_with_gaps_keeps_its_other_words_in_order():
    text = "a person walks forward and then turns around to the left"
    for seed in range(20):
        shown = with_gaps(text, random.Random(seed))
        kept = [word for word in shown.split() if word != GAP]
        assert GAP in shown
        assert f"{GAP} {GAP}" not in shown, "a run is one gap"
        assert len(kept) == 11 - round(LOST * 11)
        words = iter(text.split())
        assert all(word in words for word in kept)
    assert with_gaps("jump", random.Random(0)) == "jump"


def test_exercises_of_denoising(tiny_lm):
    model = tiny_lm()
    vocabulary, codes = model.vocabulary, torch.randint(24, (12, 1), generator=torch.Generator().manual_seed(0))
    made = model.examiner.exercise("motion_denoising", codes, 48, "a person walks", random.Random(1))
    shown = [id for id in made.prompt if vocabulary.text_size <= id < vocabulary.text_size + 24]
    assert len(shown) == 12 - round(LOST * 12)
    assert made.answer == [*vocabulary.write(codes), vocabulary.motion_end]
    made = model.examiner.exercise("text_denoising", codes, 48, "a person walks in", random.Random(1))
    assert GAP in vocabulary.text.decode(made.prompt[:-1])
    assert vocabulary.text.decode(made.answer[:-1]) == "a person walks in"
    assert model.examiner.exercise("text_denoising", codes, 48, "", random.Random(1)).task == "random_motion"


def test_a_file_without_wordings_of_a_task_in_the_mixture_is_refused(tiny_lm):
    assert tiny_lm(instructions="alpaca")
    with pytest.raises(ConfigError, match=r"mixture.text_denoising: .*'alpaca' have no wording"):
        tiny_lm(instructions="alpaca", mixture={"text_denoising": 1})
