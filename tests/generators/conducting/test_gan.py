"""The adversarial conductor: the published networks, gradients kept apart, and one training loop for all."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core import config
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.conducting.gan import ConductorGAN, published_names
from motion_platform.model.run import load_run
from motion_platform.training import state as checkpoint
from motion_platform.training import train

HERE = Path(__file__).parent
REFERENCE = np.load(HERE.parent / "diffusion" / "conductor_reference.npz")
SPEC = MotionSpec("conductor", "coco_upper", 30.0, torch.full((26,), 0.5), torch.full((26,), 0.1))


def make(seed=0, **settings):
    torch.manual_seed(seed)
    return ConductorGAN(SPEC, ("music",), **settings)


def music(rows, frames, seed=1):
    tokens = torch.randn(rows, 1 + frames, 64, generator=torch.Generator().manual_seed(seed))
    return {"music": Condition(tokens, torch.ones(rows, 1 + frames, dtype=torch.bool), 30.0)}


def batch(rows=3, frames=90):
    x = 0.5 + 0.1 * torch.randn(rows, frames, 26, generator=torch.Generator().manual_seed(2))
    lengths = torch.full((rows,), frames)
    return Batch([str(i) for i in range(rows)], {}, lengths, Motion(x, lengths, SPEC))


def published_state(model):
    """The original's tensors, by their names, made by the formula that made the reference."""
    spec = importlib.util.spec_from_file_location("make", HERE.parent / "diffusion" / "make_conductor_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = {}
    for block in range(6):
        place = f"tcn.TCN.tcn.tcn.network.{block}"
        for inner in ("conv1", "conv2"):
            shape = (64, 128 if block == 0 and inner == "conv1" else 64, 5)
            names |= {f"{place}.{inner}.weight_v": shape, f"{place}.{inner}.weight_g": (64, 1, 1)}
            names[f"{place}.{inner}.bias"] = (64,)
        for norm in ("bn1", "bn2"):
            names |= {f"{place}.{norm}.{k}": (64,) for k in ("weight", "bias", "running_mean", "running_var")}
    names |= {"tcn.TCN.tcn.tcn.network.0.downsample.weight": (64, 128, 1)}
    names |= {"tcn.TCN.tcn.tcn.network.0.downsample.bias": (64,)}
    names |= {"tcn.TCN.tcn.linear.weight": (64, 64), "tcn.TCN.tcn.linear.bias": (64,)}
    for layer, width in ((0, 64), (2, 64), (4, 26)):
        names |= {f"tcn.fc.{layer}.weight": (width, 64), f"tcn.fc.{layer}.bias": (width,)}
    for layer, (a, b, k) in enumerate([(8, 16, 3), (16, 16, 11), (16, 32, 5), (32, 64, 6)]):
        names |= {f"noise_convTranspose.{2 * layer}.weight": (a, b, k), f"noise_convTranspose.{2 * layer}.bias": (b,)}
    names |= {f"noise_BN.{k}": (64,) for k in ("weight", "bias", "running_mean", "running_var")}
    made = {name: module.formula(name, shape) for name, shape in names.items()}
    # tied tensors: the original holds each block's twice, and the copy is written last
    for name in list(made):
        parts = name.split(".")
        if parts[1:5] == ["TCN", "tcn", "tcn", "network"] and parts[6] != "downsample":
            copy = {"conv1": 0, "bn1": 2, "conv2": 5, "bn2": 7}[parts[6]]
            again = ".".join([*parts[:6], "net", str(copy), parts[7]])
            made[name] = module.formula(again, names[name])
    for name in made:
        if name.endswith(("_var", "weight_g")):
            made[name] = made[name].abs() + 0.5
    critic = {}
    for layer, (place, name) in enumerate([("layers.0", 0), ("layers.1", 3), ("layers.2", 6)]):
        critic[f"{place}.weight"] = module.formula(f"motion_encoder.{name}.weight", (64, 64 if layer else 26, 5))
        critic[f"{place}.bias"] = module.formula(f"motion_encoder.{name}.bias", (64,))
    for layer, shape in ((0, (32, 64)), (2, (32, 32)), (4, (1, 32))):
        critic[f"output.{layer}.weight"] = module.formula(f"fc.{layer}.weight", shape)
        critic[f"output.{layer}.bias"] = module.formula(f"fc.{layer}.bias", shape[:1])
    return made, critic


def test_the_networks_of_virtual_conductor():
    model = make().eval()
    state, critic = published_state(model)
    missing, foreign = model.load_state_dict(published_names(state), strict=False)
    assert not foreign
    assert all(name.startswith("critic.") or name.endswith("num_batches_tracked") for name in missing)
    model.critic.load_state_dict(critic)
    with torch.no_grad():
        made = model(torch.from_numpy(REFERENCE["gan_music"]), torch.from_numpy(REFERENCE["gan_noise"]))
        said = model.critic(made)
    torch.testing.assert_close(made, torch.from_numpy(REFERENCE["gan_motion"]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(said, torch.from_numpy(REFERENCE["gan_said"]), atol=1e-4, rtol=1e-4)
    critic_size = sum(p.numel() for p in model.critic.parameters())
    size = sum(p.numel() for p in model.parameters()) - critic_size
    assert [size, critic_size] == REFERENCE["gan_parameters"].tolist()


def test_the_critic_and_the_generator_do_not_pull_at_each_other():
    """Together they get the gradients that two optimisers would have given them, each for its own loss."""
    model = make(position_loss=0.3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    model.loss(batch(), music(3, 90))["loss"].backward()
    together = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.load_state_dict(state)

    torch.manual_seed(5)  # by hand: the critic's loss alone, then the generator's with the critic's weights as they are
    real = batch().motion.x
    noise = torch.randn(3, 3, 8)
    fake = model(music(3, 90)["music"].tokens[:, 1:], noise)
    share = torch.rand(3, 1, 1)
    between = (share * real + (1 - share) * fake.detach()).requires_grad_(True)
    (slope,) = torch.autograd.grad(model.critic(between).sum(), between, create_graph=True)
    said = model.critic(fake.detach()).mean() - model.critic(real).mean()
    critic_loss = said + 200 * sum((slope[i] ** 2).sum() for i in range(3)) / 3
    own = [p for n, p in model.named_parameters() if n.startswith("critic.")]
    rest = [p for n, p in model.named_parameters() if not n.startswith("critic.")]
    want = dict(
        zip([n for n in together if n.startswith("critic.")], torch.autograd.grad(critic_loss, own), strict=True)
    )
    generator_loss = -model.critic(fake).mean() + 0.3 * ((fake - real) ** 2).mean()
    names = [n for n in together if not n.startswith("critic.")]
    want |= dict(zip(names, torch.autograd.grad(generator_loss, rest), strict=True))
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, want[name], atol=1e-6, rtol=1e-4, msg=name)


def test_the_critic_goes_five_times_as_far_in_a_step(conductor_folder, tmp_path):
    """Resumed equals uninterrupted, and the learning rates are those of two time scales."""
    overrides = [f"data.folder={conductor_folder}", "train.steps=6", "data.mirror=false"]
    place = config.load_recipe(HERE.parents[2] / "configs" / "smoke" / "conductor_gan.yaml", overrides)
    whole = train.run(place.model_copy(update={"output": str(tmp_path / "whole")}), "gan", device="cpu", quiet=True)
    part = place.model_copy(update={"output": str(tmp_path / "part")})
    stop, train.agreed = train.agreed, lambda wanted, accelerator, step, every: step == 2
    try:
        with pytest.raises(train.Interrupted):
            train.run(part, "gan", device="cpu", quiet=True)
    finally:
        train.agreed = stop
    resumed = train.run(part, "gan", resume=True, device="cpu", quiet=True)
    states = [torch.load(folder / checkpoint.RESUME, weights_only=True) for folder in (whole, resumed)]
    for name, value in states[0]["model"].items():
        assert torch.equal(value, states[1]["model"][name]), name
    rates = {group["pace"]: group["lr"] for group in states[0]["optimiser"]["param_groups"]}
    assert rates[5.0] == pytest.approx(5 * rates[1.0])
    sizes = [len(group["params"]) for group in states[0]["optimiser"]["param_groups"] if group["pace"] == 5.0]
    assert sum(sizes) == len(list(make().critic.parameters()))


def test_the_synchrony_loss_reads_a_trained_space(conductor_folder, tmp_path):
    """L1 of the features of the motion encoder of a checkpoint, which stays as it is and is not saved again."""
    overrides = [f"data.folder={conductor_folder}", "train.steps=1", f"output={tmp_path / 'sync'}"]
    recipe = config.load_recipe(HERE.parents[2] / "configs" / "smoke" / "music_motion_sync.yaml", overrides)
    folder = train.run(recipe, "sync", device="cpu", quiet=True)
    space = load_run(folder).model.trainable
    model = make(sync_loss=0.05, sync_weights=str(folder), adversarial_loss=0.0, gradient_penalty=0.0)
    before = set(model.state_dict())
    data = batch(2)
    torch.manual_seed(3)
    parts = model.loss(data, music(2, 90))
    torch.manual_seed(3)
    fake = model(music(2, 90)["music"].tokens[:, 1:], torch.randn(2, 3, 8))
    with torch.no_grad():
        features = [space.eval().motion_features(Motion(x, data.lengths, SPEC)) for x in (fake, data.motion.x)]
    torch.testing.assert_close(parts["sync"], (features[0] - features[1]).abs().mean(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(parts["generator"], 0.05 * parts["sync"])
    parts["loss"].backward()
    assert model.output[0].weight.grad.abs().sum() > 0
    assert set(model.state_dict()) == before
    with pytest.raises(ValueError, match="needs sync_weights"):
        make(sync_loss=0.05)


def test_it_learns_against_a_critic_that_learns():
    model = make(layers=3)
    optimiser = torch.optim.Adam(
        [{"params": model.critic.parameters(), "lr": 5e-3}, {"params": [p for n, p in model.named_parameters()
         if not n.startswith("critic.")], "lr": 1e-3}], betas=(0.0, 0.99))  # fmt: skip
    data, given, first = batch(8), music(8, 90), None
    data.motion.x -= 0.3  # the untrained network stands at 0.5
    for _ in range(60):
        parts = model.loss(data, given)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        first = first or {name: float(value.detach()) for name, value in parts.items()}
    assert parts["position"] < 0.5 * first["position"]
    assert all(torch.isfinite(value) for value in parts.values())


def generate(model, given, lengths, seed=0, ids=None, edit=None, **sampling):
    lengths = torch.tensor(lengths)
    noise = NoiseSource(ids or [str(i) for i in range(len(lengths))], seed)
    return model.eval().generate(given, lengths, noise=noise, sampling=Sampling(**sampling), edit=edit)


def test_any_length_in_one_piece_and_no_row_sees_another():
    model, given, lengths = make(), music(3, 1000), [900, 31, 1]
    made = generate(model, given, lengths).x
    assert torch.isfinite(made).all()
    for row, length in enumerate(lengths):
        one = {"music": Condition(given["music"].tokens[[row]], given["music"].mask[[row]], 30.0)}
        alone = generate(model, one, [length], ids=[str(row)]).x
        torch.testing.assert_close(made[row, :length], alone[0], atol=1e-5, rtol=1e-4)
        assert not made[row, length:].any()
    assert not torch.equal(made, generate(model, given, lengths, seed=1).x)
    assert not torch.equal(made, generate(model, given, lengths, amplitude=2.0).x)


def test_what_it_cannot_do_is_said():
    model, given = make(), music(1, 60)
    with pytest.raises(UsageError, match="one pass"):
        generate(model, given, [60], steps=5)
    with pytest.raises(UsageError, match="editing needs a diffusion model"):
        generate(model, given, [60], edit=object())
    with pytest.raises(DataError, match="at least 41"):
        model.loss(batch(2, 40), music(2, 40))
    with pytest.raises(ValueError, match="one slot"):
        ConductorGAN(SPEC, ("music", "style"))
    with pytest.raises(ValueError, match="30 frames a second"):
        ConductorGAN(MotionSpec("conductor", "coco_upper", 20.0, SPEC.mean, SPEC.std), ("music",))
