"""What every registered motion tokenizer must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.core import registry
from motion_platform.core.contracts import MotionTokenizer
from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, Tokens, length_mask
from motion_platform.motion.representations import get_representation
from motion_platform.motion_tokens.streaming import StreamingDecoder, decode_stream

SMALL = {"width": 16, "depth": 2}
BOOK = {"codes": 24, "code_width": 8}
CASES = {
    "vqvae": {**SMALL, **BOOK},
    "vqvae, residual": {**SMALL, **BOOK, "codebooks": 3, "dropout": True},
    "vqvae, patches": {**SMALL, **BOOK, "patch": 4, "strides": [1], "dilation": 1, "position_loss": 1.0},
    "vqvae, stride 6": {**SMALL, **BOOK, "codes": 12, "patch": 1, "strides": [2, 3]},
    "fsq": {**SMALL, "levels": [4, 5, 3]},
    "dynamic_pose": {**SMALL, **BOOK, "embedding": 8},
}


@pytest.fixture(scope="module")
def motion() -> Motion:
    rng = np.random.default_rng(0)
    pose = rng.normal((0, 1, 0), 0.3, (22, 3))
    clips = [pose + np.cumsum(rng.normal(0, 0.01, (n, 22, 3)), 0) for n in (64, 12, 42)]
    features = [torch.from_numpy(get_representation("humanml3d_essential").encode(clip)) for clip in clips]
    x = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    everything = torch.cat(features)
    spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, everything.mean(0), everything.std(0) + 0.01)
    return Motion(x, torch.tensor([len(f) for f in features]), spec)


def given_for(slots: tuple[str, ...], rows: int) -> dict[str, Condition]:
    return {slot: Condition(torch.randn(rows, 4, 16), length_mask(torch.tensor([4, 3, 2])[:rows], 4)) for slot in slots}


def batch_of(motion: Motion) -> Batch:
    texts = ["walk", "run", "walk"]
    return Batch(["a", "b", "c"], {"text_high": texts}, motion.lengths, motion, labels=[{}, {}, {}])


@pytest.fixture(params=CASES)
def tokenizer(request: pytest.FixtureRequest, motion: Motion) -> MotionTokenizer:
    """Trained for one step, so that codebooks are not empty."""
    torch.manual_seed(0)
    name = request.param.split(",")[0]
    slots = ("text_high",) if name == "dynamic_pose" else ()
    made = registry.build("motion_tokens", name, CASES[request.param], given={"spec": motion.spec, "slots": slots})
    made.train().loss(batch_of(motion), given_for(slots, 3))
    return made.eval()


def test_every_registered_name_is_tested() -> None:
    assert {case.split(",")[0] for case in CASES} == set(registry.names("motion_tokens"))


def test_tokens_and_motion_have_the_promised_shapes(tokenizer: MotionTokenizer, motion: Motion) -> None:
    tokens = tokenizer.encode(motion)
    steps = [-(-n // tokenizer.stride) for n in motion.lengths.tolist()]
    assert tokens.lengths.tolist() == steps
    assert tokens.ids.shape == (3, max(steps), tokenizer.codebooks)
    assert tokens.ids.dtype == torch.int64
    assert 0 <= tokens.ids.min() <= tokens.ids.max() < tokenizer.codes
    made = tokenizer.decode(tokens)
    assert made.lengths.tolist() == [n * tokenizer.stride for n in steps]
    assert made.x.shape == (3, max(steps) * tokenizer.stride, motion.spec.dim)
    assert torch.isfinite(made.x).all()
    assert made.spec is motion.spec


def test_a_row_does_not_depend_on_the_others_or_on_padding(tokenizer: MotionTokenizer, motion: Motion) -> None:
    tokens = tokenizer.encode(motion)
    made = tokenizer.decode(tokens)
    junk = torch.nn.functional.pad(motion.x, (0, 0, 0, 9), value=7.0)
    junk[~length_mask(motion.lengths, junk.shape[1])] = float("nan")
    again = tokenizer.encode(Motion(junk, motion.lengths, motion.spec))
    assert torch.equal(again.ids, tokens.ids)
    for b, length in enumerate(motion.lengths.tolist()):
        alone = tokenizer.encode(Motion(motion.x[b : b + 1, :length], motion.lengths[b : b + 1], motion.spec))
        steps = int(alone.lengths[0])
        assert torch.equal(alone.ids[0], tokens.ids[b, :steps])
        frames = tokenizer.decode(alone).x[0]
        torch.testing.assert_close(frames, made.x[b, : len(frames)], rtol=1e-4, atol=1e-4)


def test_streaming_gives_the_same_frames_and_forgets(tokenizer: MotionTokenizer) -> None:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(tokenizer.codes, (2, 90, tokenizer.codebooks), generator=generator)
    whole = tokenizer.decode(Tokens(ids, torch.tensor([90, 90]))).x
    stream = StreamingDecoder(tokenizer)
    got, sizes = [], []
    for piece in ids.split([1, 2, 40, 7, 30, 10], 1):
        got.append(stream.push(piece))
        sizes.append(stream._ids.shape[1])
    assert sum(frames.shape[1] for frames in got) == max(0, 90 - stream.reach) * tokenizer.stride
    assert stream.delay == stream.reach * tokenizer.stride / 20
    assert sizes[-1] <= 2 * stream.reach + 1
    got.append(stream.finish())
    torch.testing.assert_close(torch.cat(got, 1), whole, rtol=1e-4, atol=1e-5)
    again = torch.cat(list(decode_stream(tokenizer, ids.split(17, 1))), 1)
    torch.testing.assert_close(again, whole, rtol=1e-4, atol=1e-5)


def test_reach_is_how_far_a_step_is_heard(tokenizer: MotionTokenizer) -> None:
    steps, reach = 81, tokenizer.decoder.reach
    z = torch.randn(1, steps, tokenizer.width, requires_grad=True)
    frames = tokenizer._decoded(z, torch.ones(1, steps, dtype=torch.bool))
    middle = frames[:, 40 * tokenizer.stride : 41 * tokenizer.stride]
    middle.square().sum().backward()
    heard = z.grad[0].abs().sum(-1).nonzero().flatten()
    assert 40 - reach <= heard.min()
    assert heard.max() <= 40 + reach
    assert max(40 - heard.min(), heard.max() - 40) >= reach - 1  # and no more than a step too careful


def test_it_learns(tokenizer: MotionTokenizer, motion: Motion) -> None:
    tokenizer.train()
    torch.manual_seed(0)
    given, batch = given_for(tokenizer.slots, 3), batch_of(motion)
    optimiser = torch.optim.AdamW(tokenizer.parameters(), 3e-3)
    losses = []
    for _ in range(80):
        parts = tokenizer.loss(batch, given)
        losses.append(float(parts["rec"]))
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert all(p.grad is not None for p in tokenizer.parameters())


def test_bad_motions_are_one_line(tokenizer: MotionTokenizer, motion: Motion) -> None:
    with pytest.raises(DataError, match="without frames"):
        tokenizer.encode(Motion(motion.x, torch.tensor([4, 0, 2]), motion.spec))
    x = motion.x.clone()
    x[1, 3, 5] = float("nan")
    with pytest.raises(DataError, match="motion 1 has a NaN"):
        tokenizer.encode(Motion(x, motion.lengths, motion.spec))
    kit = MotionSpec("kit_ml", "kit", 12.5, torch.zeros(251), torch.ones(251))
    with pytest.raises(DataError, match="got kit_ml"):
        tokenizer.encode(Motion(torch.zeros(1, 8, 251), torch.tensor([8]), kit))


def test_bad_tokens_are_one_line(tokenizer: MotionTokenizer) -> None:
    q = tokenizer.codebooks
    ids = torch.zeros(2, 5, q, dtype=torch.int64)
    for wrong in (tokenizer.codes, -1):
        bad = ids.clone()
        bad[1, 3] = wrong
        with pytest.raises(DataError, match=rf"row 1, step 3: got .*allowed: 0 to {tokenizer.codes - 1}"):
            tokenizer.decode(Tokens(bad, torch.tensor([5, 5])))
        tokenizer.decode(Tokens(bad, torch.tensor([5, 3])))  # in the padding it does not matter
    with pytest.raises(DataError, match=rf"allowed: \(B, S, {q}\)"):
        tokenizer.decode(Tokens(torch.zeros(2, 5, q + 1, dtype=torch.int64), torch.tensor([5, 5])))
    with pytest.raises(DataError, match="allowed: 1 to 5 steps"):
        tokenizer.decode(Tokens(ids, torch.tensor([5, 0])))
    with pytest.raises(DataError, match="the stream held none"):
        StreamingDecoder(tokenizer).finish()


def test_a_very_short_motion_is_one_step(tokenizer: MotionTokenizer, motion: Motion) -> None:
    tokens = tokenizer.encode(Motion(motion.x[:1, :1], torch.tensor([1]), motion.spec))
    assert tokens.lengths.tolist() == [1]
    assert tokenizer.decode(tokens).x.shape == (1, tokenizer.stride, motion.spec.dim)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("vqvae", {"patch": 0}, "patch"),
        ("vqvae", {"strides": []}, "strides"),
        ("fsq", {"levels": [8, 2]}, "levels"),
        ("dynamic_pose", {"kernels": (3, 3)}, "two different odd sizes"),
        ("dynamic_pose", {}, "needs one slot"),
        ("vqvae", {"codez": 3}, "did you mean 'codes'"),
    ],
)
def test_bad_settings_are_one_line(motion: Motion, name: str, settings: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        registry.build("motion_tokens", name, settings, given={"spec": motion.spec, "slots": ()})
