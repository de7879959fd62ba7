"""Against transformers' own output."""

import pytest
import torch

from motion_platform.core.errors import WeightsError
from motion_platform.encoders.clip_text import ClipTextEncoder


@pytest.mark.parametrize("which", ["clip_folder", "whole_clip_folder"])
def test_parity_with_transformers(which, request, texts):
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    folder = request.getfixturevalue(which)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    network = CLIPTextModelWithProjection.from_pretrained(folder).eval()
    texts = [*texts, "walk and turn " * 200]
    inputs = tokenizer(texts, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    with torch.no_grad():  # padded to 77 with the end token and without a mask, as the original code runs it
        whole = network(input_ids=inputs["input_ids"])
        pooled = network.text_model(input_ids=inputs["input_ids"]).pooler_output
    made = {output: ClipTextEncoder(str(folder), output)(texts) for output in ("projected", "pooled", "tokens")}
    assert (made["projected"].tokens[:, 0] - whole.text_embeds).abs().max() <= 1e-5
    assert (made["pooled"].tokens[:, 0] - pooled).abs().max() <= 1e-5
    mask = made["tokens"].mask
    assert torch.equal(mask, inputs["attention_mask"].bool())
    assert (made["tokens"].tokens - whole.last_hidden_state)[mask].abs().max() <= 1e-5


def test_whole_clip_equals_the_model_s_text_features(whole_clip_folder, texts):
    from transformers import CLIPModel, CLIPTokenizer

    network = CLIPModel.from_pretrained(whole_clip_folder).eval()
    inputs = CLIPTokenizer.from_pretrained(whole_clip_folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = network.get_text_features(**inputs)
    expected = getattr(expected, "pooler_output", expected)
    assert (ClipTextEncoder(str(whole_clip_folder))(texts).tokens[:, 0] - expected).abs().max() <= 1e-5


def test_text_model_without_projection(clip_folder, tmp_path, texts):
    from transformers import CLIPTextModel, CLIPTokenizer

    CLIPTextModel.from_pretrained(clip_folder).save_pretrained(tmp_path)
    CLIPTokenizer.from_pretrained(clip_folder).save_pretrained(tmp_path)
    pooled = ClipTextEncoder(str(tmp_path), "pooled")(texts)
    assert (pooled.tokens - ClipTextEncoder(str(clip_folder), "pooled")(texts).tokens).abs().max() <= 1e-6
    with pytest.raises(WeightsError, match=r"lack text_projection\.weight"):
        ClipTextEncoder(str(tmp_path), "projected")


def test_another_model_is_refused(bert_folder):
    with pytest.raises(WeightsError, match="bert model, not CLIP"):
        ClipTextEncoder(str(bert_folder))
