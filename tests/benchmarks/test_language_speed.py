"""The published loop and ours do the same work: they write the same likeliest answer."""

import pytest
import torch

from motion_platform.training import build


@pytest.mark.slow
def test_both_ways_write_the_same_and_the_first_token_is_its_first(benchmark):
    recipe, name = build.load_recipe("smoke/motion_lm", [])
    model = build.assemble(recipe, name=name).model.trainable.eval()
    random = torch.Generator().manual_seed(0)  # or an untrained model would say one id for ever
    for weights in (model.rows, model.base.body.norm.weight):
        weights.data.normal_(generator=random)
    prompt = model.examiner.plain_prompt("text_to_motion", {"text": "a person walks"})
    with torch.inference_mode():
        ours = benchmark.written(model, [prompt, prompt], 6, 0.0)
        theirs = benchmark.published_loop(model, prompt, 6 * model.tokenizer.codebooks, 0.0)
        first = benchmark.first_token(model, prompt)
    assert ours == [theirs, theirs]
    assert first == theirs[0]
    assert len(set(theirs)) > 1
