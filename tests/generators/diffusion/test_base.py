"""What diffusion models share, on a model small enough to be worked out by hand."""

import pytest
import torch

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion.base import Diffusion
from motion_platform.generators.diffusion.settings import DiffusionSettings

FRAMES, DIM = 12, 2


class Told(Diffusion):
    """Says that a clean motion is, at every frame, the mean of the real tokens that it is told, times ``gain``."""

    called, default_guidance, gain = "told", 2.0, 1.0

    def __init__(self, slots=("a", "b"), **settings):
        defaults = dict(diffusion_steps=50, sample_steps=4, max_frames=FRAMES, overlap=0.2)
        super().__init__(spec(), slots, DiffusionSettings(**defaults | settings))
        self.width, self.rows = 1, []

    def embed(self, timesteps):
        return timesteps[:, None].float()

    def context(self, given, mask):
        return self._sum(given)

    def passes(self, given, chain, windows, mask):
        self.rows.append(len(windows.rows))
        views = [{s: c if s in on else c.drop() for s, c in given.items()} for on, _ in chain]
        return torch.cat([self._sum(view)[windows.rows] for view in views])

    def denoise(self, x, time, context, mask, copies=1):
        assert time.shape == (copies * len(x), 1)
        return self.gain * context[:, None, None].expand(-1, *x.shape[1:])

    def _sum(self, given):
        return sum((c.tokens[..., 0] * c.mask)[:, 1:].sum(1) for c in given.values())

    def side_losses(self, context, x0, batch):
        return [("told", 0.5, context.mean())]


def spec():
    return MotionSpec("test", "test", 20.0, torch.full((DIM,), 3.0), torch.full((DIM,), 2.0))


def told(**values):
    """slot -> a value a row, behind the null token."""
    return {
        slot: Condition(torch.tensor([[[0.0], [v]] for v in row]), torch.tensor([[True, v != 0] for v in row]))
        for slot, row in values.items()
    }


def sample(model, given, lengths, edit=None, **sampling):
    ids = [str(k) for k in range(len(lengths))]
    return model.generate(
        given, torch.tensor(lengths), noise=NoiseSource(ids, 0), sampling=Sampling(**sampling), edit=edit
    ).x


def test_the_walk_ends_in_what_the_network_says_in_raw_units():
    x = sample(Told(), told(a=[1.0, 4.0], b=[0.0, 0.0]), [5, 3], guidance={"a": 1.0})
    torch.testing.assert_close(x[0], torch.full((5, DIM), 3.0 + 2 * 1.0))
    torch.testing.assert_close(x[1, :3], torch.full((3, DIM), 3.0 + 2 * 4.0))
    assert (x[1, 3:] == 0).all()


def test_guidance_by_hand():
    """p_0 = 0, p_a = 1, p_ab = 1 + 10: p = p_0 + w_a (p_a - p_0) + w_b (p_ab - p_a) = 2 * 1 + 0.5 * 10."""
    model = Told(guidance={"b": 0.5})
    x = sample(model, told(a=[1.0], b=[10.0]), [4])
    torch.testing.assert_close(x, torch.full((1, 4, DIM), 3 + 2 * (2.0 + 5.0)))
    x = sample(model, told(a=[1.0], b=[10.0]), [4], guidance={"a": 0.0, "b": 1.0})
    torch.testing.assert_close(x, torch.full((1, 4, DIM), 3 + 2 * 10.0))
    never = Told(guidance={"a": 5.0}, guidance_interval=(0.0, 0.0))  # acts at t = 0 alone, where no sampler stops
    torch.testing.assert_close(sample(never, told(a=[1.0], b=[0.0]), [4]), torch.full((1, 4, DIM), 5.0))
    with pytest.raises(UnknownName, match="told: guidance: unknown slot 'c'"):
        sample(model, told(a=[1.0], b=[1.0]), [4], guidance={"c": 1.0})


@pytest.mark.parametrize("sampler", ["ddpm", "dpm++sde"])
def test_the_noise_of_every_step_is_another(sampler, monkeypatch):
    drawn = []
    normal = NoiseSource.normal

    def noted(self, *args, **options):
        drawn.append(normal(self, *args, **options))
        return drawn[-1]

    monkeypatch.setattr(NoiseSource, "normal", noted)
    sample(Told(), told(a=[1.0], b=[0.0]), [6], sampler=sampler, steps=5)
    assert len(drawn) == 5  # the start, and every step but the last
    for k, one in enumerate(drawn):
        for other in drawn[:k]:
            assert abs(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) < 0.95


def test_long_motions_go_through_windows_and_report_progress():
    model, seen = Told(), []
    given = told(a=[1.0, 2.0], b=[0.0, 0.0])
    want = sample(model, given, [40, 20], guidance={"a": 1.0})
    assert model.rows == [7]  # windows of 12 frames that share 4: 5 over the first, 2 over the second; read once
    assert len(model.seams(40)) == 4
    model.windows_at_once = 3
    got = sample(model, given, [40, 20], guidance={"a": 1.0}, progress=lambda done, total: seen.append((done, total)))
    torch.testing.assert_close(got, want)
    assert model.rows == [7, 3, 3, 1]
    assert seen == [(k, 12) for k in range(1, 13)]


def test_what_is_kept_is_exact():
    edit = Edit(torch.randn(1, 6, DIM), torch.zeros(1, 6, DIM, dtype=torch.bool))
    edit.keep[:, :2] = True
    x = sample(Told(), told(a=[1.0], b=[0.0]), [6], edit, guidance={"a": 1.0})
    assert torch.equal(x[:, :2], edit.x[:, :2])
    torch.testing.assert_close(x[:, 2:], torch.full((1, 4, DIM), 5.0))


def test_losses_by_hand():
    """A network that says 2 everywhere, of a clean motion that is 1 and 3 by turns, in the network's units."""
    model = Told(velocity_loss=0.25)
    clean = torch.tensor([1.0, 3.0]).repeat(3)[None, :, None].expand(1, -1, DIM)
    motion = Motion(model.spec.restore(clean), torch.tensor([6]), model.spec)
    parts = model.loss(Batch(["x"], {}, motion.lengths, motion), told(a=[2.0], b=[0.0]))
    want = {"rec": 1.0, "velocity": 4.0, "told": 2.0, "loss": 1.0 + 0.25 * 4.0 + 0.5 * 2.0}
    assert {name: round(float(part), 5) for name, part in parts.items()} == want
    with pytest.raises(DataError, match="told: the batch has no motion"):
        model.loss(Batch(["x"], {}, torch.tensor([6])), told(a=[2.0], b=[0.0]))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"prediction": "x1"}, UnknownName, "told"),
        ({"sampler": "dimm"}, UnknownName, "did you mean 'ddim'"),
        ({"loss_weighting": "snr"}, UnknownName, "min_snr"),
        ({"guidance": {"c": 1.0}}, UnknownName, "slot"),
        ({"sample_steps": 0}, ValueError, "sample_steps 0"),
        ({"max_frames": 0}, ValueError, "max_frames 0"),
    ],
)
def test_impossible_settings(settings, error, message):
    with pytest.raises(error, match=message):
        Told(**settings)
