"""The quantisers and the losses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.motion_tokens.dynamic_pose import same_class, stochastic_batch_contrastive
from motion_platform.motion_tokens.quantisers import Codebooks, FiniteScalar
from motion_platform.motion_tokens.vqvae import VQVAE


def filled(codebooks: int) -> Codebooks:
    torch.manual_seed(0)
    made = Codebooks(8, 20, codebooks, code_width=8, decay=0.9, dead_below=0.0, dropout=False)
    for book in made.books:
        book.codebook.copy_(torch.randn(20, 8) / (1 if codebooks == 1 else 2))
        book._codebook.initted.fill_(True)
    return made.eval()


def test_one_codebook_takes_the_nearest_code() -> None:
    made = filled(1)
    z = torch.randn(3, 5, 8)
    quantised, ids, _ = made(z)
    nearest = torch.cdist(z, made.books[0].codebook[None].expand(3, -1, -1)).argmin(-1)
    assert torch.equal(ids[..., 0], nearest)
    torch.testing.assert_close(quantised, made.books[0].codebook[nearest])
    torch.testing.assert_close(made.read(ids), quantised)


def test_residual_codebooks_code_what_is_left() -> None:
    made = filled(3)
    z = torch.randn(2, 4, 8)
    left, wanted = z, []
    for book in made.books:
        nearest = torch.cdist(left, book.codebook[None].expand(2, -1, -1)).argmin(-1)
        left = left - book.codebook[nearest]
        wanted.append(nearest)
    quantised, ids, _ = made(z)
    assert torch.equal(ids, torch.stack(wanted, -1))
    torch.testing.assert_close(quantised, z - left, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.read(ids), quantised, rtol=1e-4, atol=1e-5)


def test_every_finite_scalar_code_is_read_as_itself() -> None:
    torch.manual_seed(0)
    made = FiniteScalar(3, [4, 5, 3])
    assert made.codes == 60
    ids = torch.arange(60)[None, :, None]
    values = made.read(ids)
    assert len(torch.unique(values[0], dim=0)) == 60
    levels = [len(torch.unique(values[0, :, k])) for k in range(3)]
    assert levels == [4, 5, 3]


def test_codes_move_to_the_mean_of_what_they_stand_for() -> None:
    """decay 0: after one batch a code is the mean of the vectors nearest to it."""
    made = filled(1)
    made._library()._codebook.decay = 0.0
    made.train()
    z = torch.randn(1, 400, 8)
    before = made.books[0].codebook.clone()
    _, ids, loss = made(z)
    commitment = F.mse_loss(before[ids[0, :, 0]], z[0])
    torch.testing.assert_close(loss, commitment)
    for code in range(20):
        chosen = ids[0, :, 0] == code
        if chosen.any():
            torch.testing.assert_close(made.books[0].codebook[code], z[0, chosen].mean(0), rtol=1e-2, atol=1e-2)


def test_a_dead_code_is_put_on_a_vector_of_the_batch() -> None:
    made = Codebooks(4, 6, 1, code_width=4, decay=0.0, dead_below=1.0, dropout=False)
    book = torch.randn(6, 4)
    book[2] = 1000.0
    made.books[0].codebook.copy_(book)
    made.book._codebook.initted.fill_(True)
    made.train()
    z = torch.randn(1, 50, 4)
    made(z)
    # Exact differences: torch.cdist goes through a matrix product, which near zero is off by 3e-4 on some processors.
    assert (made.books[0].codebook[2] - z[0]).abs().amax(-1).min() < 1e-5


def spec() -> MotionSpec:
    return MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(67), torch.full((67,), 0.5))


def test_the_losses_are_means_over_real_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = VQVAE(spec(), width=16, codes=8, code_width=4, depth=1, position_loss=2.0)
    lengths = torch.tensor([8, 4])
    x = torch.randn(2, 8, 67) * 0.3
    made = torch.randn(2, 8, 67)
    monkeypatch.setattr(model, "_decoded", lambda z, mask: made)
    parts = model.loss(Batch(["a", "b"], {}, lengths, Motion(x, lengths, spec())), {})
    rows = [(made[0], x[0] / 0.5), (made[1, :4], x[1, :4] / 0.5)]
    rec = torch.cat([F.smooth_l1_loss(a, b, reduction="none") for a, b in rows]).mean()
    velocity = torch.cat([F.smooth_l1_loss(a.diff(dim=0), b.diff(dim=0), reduction="none") for a, b in rows]).mean()
    torch.testing.assert_close(parts["rec"], rec)
    torch.testing.assert_close(parts["velocity"], velocity)
    wanted = rec + 0.5 * velocity + 0.02 * parts["commitment"] + 2.0 * parts["position"]
    torch.testing.assert_close(parts["loss"], wanted)


def test_the_position_loss_is_of_the_pose_and_not_of_where_the_body_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = VQVAE(spec(), width=16, codes=8, code_width=4, depth=1, position_loss=2.0)
    lengths, x = torch.tensor([8]), torch.randn(1, 8, 67) * 0.3
    exact = 1e-3  # the square root of the constant that keeps its slope finite
    for columns, alike in ((slice(1, 3), True), (slice(4, 67), False)):  # the root's steps; the other joints
        moved = x / 0.5
        moved[..., columns] += 0.7
        monkeypatch.setattr(model, "_decoded", lambda z, mask, moved=moved: moved)
        position = model.loss(Batch(["a"], {}, lengths, Motion(x, lengths, spec())), {})["position"].item()
        assert (position < exact * 1.01) == alike


def test_bfloat16_chooses_the_same_codes_for_the_same_latents() -> None:
    torch.manual_seed(0)
    model = VQVAE(spec(), width=16, codes=64, code_width=16, depth=1)
    model.quantiser = Codebooks(16, 64, 1, code_width=16, decay=0.9, dead_below=0.0, dropout=False)
    model.quantiser.books[0].codebook.copy_(torch.randn(64, 16) * 0.01 + 3)
    model.quantiser.book._codebook.initted.fill_(True)
    model.eval()
    latent, mask = torch.randn(2, 50, 16) * 0.01 + 3, torch.ones(2, 50, dtype=torch.bool)
    exact = model._quantise(latent, mask)[1]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model._quantise(latent, mask)[1], exact)


def test_contrast_without_shared_classes_is_the_usual_cross_entropy() -> None:
    torch.manual_seed(0)
    motion, text = torch.randn(6, 5), torch.randn(6, 5)
    logits = F.normalize(motion, dim=1) @ F.normalize(text, dim=1).T / 0.1
    wanted = (F.cross_entropy(logits, torch.arange(6)) + F.cross_entropy(logits.T, torch.arange(6))) / 2
    torch.testing.assert_close(stochastic_batch_contrastive(motion, text, torch.eye(6, dtype=torch.bool), 0.1), wanted)


def test_contrast_of_one_class_alone_is_least_when_all_are_alike() -> None:
    same = torch.ones(4, 4, dtype=torch.bool)
    alike = torch.ones(4, 3)
    assert stochastic_batch_contrastive(alike, alike, same, 0.1).item() == pytest.approx(math.log(4), rel=1e-5)
    apart = torch.eye(4)
    assert stochastic_batch_contrastive(apart, apart, same, 0.1) > math.log(4)


def test_rows_are_of_one_class_by_labels_or_text() -> None:
    labels = [{"content": "walk"}, {"content": "walk"}, {}, {}, {"content": "run"}]
    texts = ["he walks", "a walk", "", "a walk", ""]
    batch = Batch(list("abcde"), {"text_high": texts}, torch.ones(5), labels=labels)
    wanted = torch.eye(5, dtype=torch.bool)
    wanted[0, 1] = wanted[1, 0] = wanted[1, 3] = wanted[3, 1] = True
    assert torch.equal(same_class(batch, "text_high", range(5)), wanted)


@pytest.mark.parametrize("codebooks", [1, 3])
def test_codes_are_read_and_learnt_as_the_library_does_alone(codebooks: int) -> None:
    """The same batches through the library by itself: the same codes, numbers and averages, to the last bit."""
    from vector_quantize_pytorch import ResidualVQ, VectorQuantize

    settings = {"dim": 8, "codebook_size": 12, "decay": 0.8, "kmeans_init": True, "threshold_ema_dead_code": 1.0,
                "commitment_weight": 1.0, "rotation_trick": False}  # fmt: skip
    alone = VectorQuantize(**settings) if codebooks == 1 else ResidualVQ(num_quantizers=codebooks, **settings)
    made = Codebooks(8, 12, codebooks, code_width=8, decay=0.8, dead_below=1.0, dropout=False)
    generator = torch.Generator().manual_seed(3)
    for step in range(4):
        z, mask = torch.randn(4, 30, 8, generator=generator), torch.ones(4, 30, dtype=torch.bool)
        results = []
        for quantise in (alone, made):
            torch.manual_seed(step)
            results.append(quantise(z, mask=mask))
        assert torch.equal(results[0][0], results[1][0])
        assert torch.equal(results[0][1].reshape(results[1][1].shape), results[1][1])
    state = alone.state_dict()
    ours = {name.removeprefix("book."): value for name, value in made.state_dict().items()}
    assert state.keys() == ours.keys()
    assert all(torch.equal(state[name], ours[name]) for name in state)
    ids = results[1][1]
    assert torch.equal(made.read(ids), alone.get_output_from_indices(ids[..., 0] if codebooks == 1 else ids))
