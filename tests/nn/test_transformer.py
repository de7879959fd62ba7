"""Transformer layers against torch's own."""

import pytest
import torch
from torch import nn

from motion_platform.nn.transformer import Attention, TimestepEmbedding, Transformer, cut_patches, sinusoidal

WIDTH, HEADS, FEED_FORWARD, LAYERS = 32, 4, 48, 3


def copy_attention(ours, theirs):
    ours.in_projection.weight.copy_(theirs.in_proj_weight)
    ours.in_projection.bias.copy_(theirs.in_proj_bias)
    ours.out_projection.load_state_dict(theirs.out_proj.state_dict())


@torch.no_grad()
def twin(norm, cross):
    """Our stack and torch's with the same, random weights (layer norms too)."""
    cls = nn.TransformerDecoderLayer if cross else nn.TransformerEncoderLayer
    stack = nn.TransformerDecoder if cross else nn.TransformerEncoder
    layer = cls(WIDTH, HEADS, FEED_FORWARD, 0.1, "gelu", batch_first=True, norm_first=norm == "pre")
    final = nn.LayerNorm(WIDTH) if norm == "pre" else None
    theirs = stack(layer, LAYERS, final) if cross else stack(layer, LAYERS, final, enable_nested_tensor=False)
    for parameter in theirs.parameters():
        parameter.normal_(std=0.3)
    ours = Transformer(LAYERS, WIDTH, HEADS, FEED_FORWARD, 0.1, norm, cross)
    for a, b in zip(ours.layers, theirs.layers, strict=True):
        copy_attention(a.attention, b.self_attn)
        a.attention_norm.load_state_dict(b.norm1.state_dict())
        if cross:
            copy_attention(a.cross_attention, b.multihead_attn)
            a.cross_norm.load_state_dict(b.norm2.state_dict())
        a.feed_forward_norm.load_state_dict((b.norm3 if cross else b.norm2).state_dict())
        a.up.load_state_dict(b.linear1.state_dict())
        a.down.load_state_dict(b.linear2.state_dict())
    if final is not None:
        ours.final_norm.load_state_dict(theirs.norm.state_dict())
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("cross", [False, True])
def test_equals_torch(norm, cross):
    torch.manual_seed(0)
    ours, theirs = twin(norm, cross)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    x, memory = torch.randn(3, 7, WIDTH), torch.randn(3, 5, WIDTH)
    mask = torch.arange(7)[None] < torch.tensor([[7], [4], [1]])
    memory_mask = torch.arange(5)[None] < torch.tensor([[5], [1], [2]])
    with torch.no_grad():
        if cross:
            got = ours(x, mask, ours.keys_values(memory), memory_mask)
            want = theirs(x, memory, tgt_key_padding_mask=~mask, memory_key_padding_mask=~memory_mask)
        else:
            got, want = ours(x, mask), theirs(x, src_key_padding_mask=~mask)
    torch.testing.assert_close(got[mask], want[mask], atol=2e-5, rtol=1e-4)


def test_no_mask_equals_a_full_mask():
    torch.manual_seed(0)
    ours, _ = twin("post", False)
    x = torch.randn(2, 6, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), ours(x, torch.ones(2, 6, dtype=torch.bool)))


def test_dropout_only_in_training():
    model = Transformer(1, WIDTH, HEADS, FEED_FORWARD, dropout=0.5)
    x = torch.randn(1, 4, WIDTH)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_sinusoidal_positions():
    table = sinusoidal(50, 8)
    assert table.shape == (50, 8)
    for position, column, frequency in [(7, 0, 1.0), (7, 2, 10000 ** (-2 / 8)), (31, 6, 10000 ** (-6 / 8))]:
        angle = torch.tensor(position * frequency)
        torch.testing.assert_close(table[position, column], angle.sin(), atol=1e-5, rtol=0)
        torch.testing.assert_close(table[position, column + 1], angle.cos(), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="even"):
        sinusoidal(3, 5)


def test_timestep_embedding_tells_steps_apart():
    embedding = TimestepEmbedding(1000, WIDTH)
    out = embedding(torch.tensor([0, 1, 999, 1]))
    assert out.shape == (4, WIDTH)
    assert torch.equal(out[1], out[3])
    assert not torch.allclose(out[0], out[1])


def test_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="multiple of heads"):
        Transformer(1, 32, 5, 16)
    with pytest.raises(ValueError, match="norm"):
        Transformer(1, 32, 4, 16, norm="middle")


@pytest.mark.parametrize("masked", [False, True])
def test_short_bfloat16_attention_equals_torchs(masked):
    torch.manual_seed(0)
    layer = Attention(32, 4).to(torch.bfloat16)
    x = torch.randn(3, 10, 32, dtype=torch.bfloat16)
    mask = (torch.arange(10) < torch.tensor([10, 4, 1])[:, None])[:, None, None] if masked else None
    q, k, v = layer._split(layer.in_projection(x), 3)
    expected = layer.out_projection(
        torch.nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask)
        .to(torch.bfloat16)
        .transpose(1, 2)
        .flatten(2)
    )
    torch.testing.assert_close(layer(x, mask), expected, atol=2e-2, rtol=2e-2)


def test_patches_hold_all_frames_and_count_when_any_is_real():
    x, lengths = torch.arange(2 * 6 * 3.0).reshape(2, 6, 3), torch.tensor([6, 4])
    patches, mask = cut_patches(x, lengths, 4)
    assert patches.shape == (2, 2, 12)
    torch.testing.assert_close(patches.reshape(2, 8, 3)[:, :6], x)
    assert patches.reshape(2, 8, 3)[:, 6:].abs().max() == 0
    assert mask.tolist() == [[True, True], [True, False]]


def test_attention_begins_as_torchs_own_does():
    """Biases of zero; weights uniform within the bound of Xavier over query, key and value together."""
    torch.manual_seed(0)
    own = Attention(64, 4)
    assert not own.in_projection.bias.any()
    assert not own.out_projection.bias.any()
    bound = (6 / (64 + 3 * 64)) ** 0.5
    assert 0.98 * bound < own.in_projection.weight.abs().max() <= bound
    assert own.in_projection.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("dtype", "queries", "keys", "plain"),
    [
        (torch.bfloat16, 128, 128, True), (torch.bfloat16, 64, 256, True), (torch.bfloat16, 129, 128, False),
        (torch.bfloat16, 128, 129, False), (torch.bfloat16, 1, 16384, True), (torch.bfloat16, 16385, 1, False),
        (torch.float32, 4, 4, False),
    ],
)  # fmt: skip
def test_only_short_bfloat16_on_a_cpu_goes_by_plain_products(dtype, queries, keys, plain, monkeypatch):
    """Torch's own way is several times slower there, and faster everywhere else."""
    asked, usual = [], torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda *a, **k: asked.append(a) or usual(*a, **k)
    )
    attention = Attention(4, 2).to(dtype).eval()
    with torch.no_grad():
        made = attention.cross(
            torch.ones(1, queries, 4, dtype=dtype), attention.keys_values(torch.ones(1, keys, 4, dtype=dtype))
        )
    assert made.shape == (1, queries, 4)
    assert (not asked) == plain
