"""How long sampling takes, beside MDM's own code on the same machine in the same run.

    python -m benchmarks.sampling_speed --mdm PATH_TO_MOTION_DIFFUSION_MODEL

Denoising only, 196 frames, one motion, with guidance, two threads: ours at its default sampler, and MDM's public code
(8 layers, 512 wide, 1024 feed-forward, 50 steps, two passes a step, 263 features) with random weights, since time does
not depend on them. The text embedding is random in both and its encoder is timed in neither. Every measurement is a
process of its own; ours and theirs take turns; medians are quoted. Then the whole commands as a person types them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import (
    environment,
    measure_command,
    peak_mb,
    take_turns,
    thread_environment,
    verdicts,
    write_json,
)

FRAMES = 196
TEXT = "a tired person walks and turns left"


def measure_ours(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds to denoise one motion with the model's defaults: one text slot given, the others left out."""
    import torch

    from motion_platform.core.schema import Condition, Sampling
    from motion_platform.core.seeding import NoiseSource

    torch.manual_seed(0)
    generator = _generator(arguments)
    given = {}
    for i, slot in enumerate(generator.slots):
        count = 2 if i == 0 else 1  # the null token, and a text token where there is a text
        given[slot] = Condition(torch.randn(1, count, generator.width), torch.ones(1, count, dtype=torch.bool))
    lengths = torch.tensor([FRAMES])

    def sample(seed: int) -> float:
        start = time.perf_counter()
        motion = generator.generate(given, lengths, noise=NoiseSource(["speed"], seed), sampling=Sampling())
        seconds = time.perf_counter() - start
        if motion.x.shape[1] != FRAMES or not torch.isfinite(motion.x).all():
            raise SystemExit("our model did not make a finite motion of the asked length")
        return seconds

    first = sample(0)
    parameters = sum(p.numel() for p in generator.parameters())
    return {"seconds": sample(1), "first_seconds": first, "parameters": parameters, "peak_mb": peak_mb()}


def _generator(arguments: argparse.Namespace) -> Any:
    """The generator of a checkpoint, or of a recipe with random weights."""
    import torch

    if arguments.recipe is None:
        from motion_platform.model.motion_model import MotionModel

        return MotionModel.from_pretrained(arguments.model).trainable.eval()
    from motion_platform.core import registry
    from motion_platform.core.schema import MotionSpec
    from motion_platform.motion.representations import get_representation
    from motion_platform.training.build import load_recipe

    recipe, _ = load_recipe(arguments.recipe)
    kind = get_representation(recipe.representation)
    spec = MotionSpec(kind.name, kind.skeleton.name, kind.fps, torch.zeros(kind.dim), torch.ones(kind.dim))
    given = {"spec": spec, "slots": tuple(recipe.slots)}
    return registry.build("generators", recipe.model.name, recipe.model.settings, given=given).eval()


@dataclass(frozen=True)
class PublishedMDM:
    """What is used of MDM's public code: its network, its wrapper for guidance, and its diffusion."""

    network: Any
    guide: Any
    _create: Any
    _respaced: Any
    _betas: Any

    def diffusion(self, trained: int, steps: int) -> Any:
        """GaussianDiffusion that samples ``steps`` of the ``trained`` steps of a cosine; all: as the code makes it."""
        settings = {"noise_schedule": "cosine", "sigma_small": True, "lambda_vel": 0.0, "lambda_rcxyz": 0.0}
        made = self._create(argparse.Namespace(**settings, diffusion_steps=trained, lambda_fc=0.0))
        if steps == trained:
            return made
        kept = self._respaced.space_timesteps(trained, [steps])
        same = {name: getattr(made, name) for name in ("model_mean_type", "model_var_type", "loss_type")}
        betas = self._betas("cosine", trained, 1.0)
        return self._respaced.SpacedDiffusion(use_timesteps=kept, betas=betas, **same)


def published_mdm(folder: str | Path) -> PublishedMDM:
    """MDM's public code. What it imports but sampling does not run (CLIP, SMPL) is stubbed."""
    import numpy as np
    import torch

    for name in ("clip", "joblib", "spacy", "smplx", "trimesh", "blobfile"):
        sys.modules.setdefault(name, types.ModuleType(name))
    if not hasattr(np, "float"):
        np.float = float  # removed from numpy after their code was written
    sys.path.insert(0, str(Path(folder).resolve()))
    smpl = types.ModuleType("model.rotation2xyz")
    smpl.Rotation2xyz = lambda device, dataset: types.SimpleNamespace(smpl_model=torch.nn.Identity())
    sys.modules["model.rotation2xyz"] = smpl
    bert = types.ModuleType("model.BERT.BERT_encoder")
    bert.load_bert = None
    sys.modules["model.BERT.BERT_encoder"] = bert
    from diffusion import gaussian_diffusion, respace
    from model.mdm import MDM
    from utils import model_util
    from utils.sampler_util import ClassifierFreeSampleModel

    return PublishedMDM(
        MDM,
        ClassifierFreeSampleModel,
        model_util.create_gaussian_diffusion,
        respace,
        gaussian_diffusion.get_named_beta_schedule,
    )


def measure_mdm(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of MDM's own sampling loop."""
    import torch

    code = published_mdm(arguments.mdm)
    MDM = code.network
    torch.manual_seed(0)
    MDM.load_and_freeze_clip = lambda self, clip_version: torch.nn.Identity()
    model = MDM(
        "", 263, 1, 1, True, "rot6d", True, True, latent_dim=512, ff_size=1024, num_layers=8, num_heads=4,
        dropout=0.1, activation="gelu", data_rep="hml_vec", dataset="humanml", cond_mode="text", cond_mask_prob=0.1,
        arch="trans_enc", text_encoder_type="clip", clip_version="ViT-B/32",
    )  # fmt: skip
    diffusion = code.diffusion(50, 50)
    guided = code.guide(model).eval()
    y = {
        "text_embed": torch.randn(1, 1, 512),
        "mask": torch.ones(1, 1, 1, FRAMES, dtype=torch.bool),
        "lengths": torch.tensor([FRAMES]),
        "scale": torch.full((1,), 2.5),
    }

    def sample() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            x = diffusion.p_sample_loop(guided, (1, 263, 1, FRAMES), clip_denoised=False, model_kwargs={"y": dict(y)})
        seconds = time.perf_counter() - start
        if x.shape != (1, 263, 1, FRAMES):
            raise SystemExit("MDM did not make a motion of the asked length")
        return seconds

    first = sample()
    parameters = sum(p.numel() for p in model.parameters())
    return {"seconds": sample(), "first_seconds": first, "parameters": parameters, "peak_mb": peak_mb()}


def worker_command(arguments: argparse.Namespace) -> list[str]:
    """This program with the same choices, but for what to measure."""
    command = [sys.executable, "-m", "benchmarks.sampling_speed", "--threads", str(arguments.threads)]
    command += ["--model", arguments.model]
    for option in ("recipe", "mdm"):
        if getattr(arguments, option):
            command += [f"--{option}", getattr(arguments, option)]
    return command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mdm", help="a clone of github.com/GuyTevet/motion-diffusion-model; without: ours alone")
    parser.add_argument("--model", default="text_to_motion_small", help="checkpoint by name or folder")
    parser.add_argument("--recipe", help="random weights of this recipe instead of a checkpoint; skips the commands")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--worker", choices=["ours", "mdm"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        import torch

        torch.set_num_threads(arguments.threads)
        print(json.dumps({"ours": measure_ours, "mdm": measure_mdm}[arguments.worker](arguments)))
        return

    names = ["ours", "mdm"] if arguments.mdm else ["ours"]
    runs = take_turns(worker_command(arguments), names, arguments.repeats, arguments.threads)
    if not arguments.recipe:
        os.environ.update(thread_environment(arguments.threads))
        with tempfile.TemporaryDirectory() as folder:
            motion = [sys.executable, "-m", "motion_platform"]
            out = str(Path(folder) / "out.html")
            generate = [*motion, "generate", "text_to_motion", "--model", arguments.model, "--text", TEXT]
            commands = {"generate": [*generate, "--seed", "7", "-o", out], "help": [*motion, "--help"]}
            for name, command in commands.items():
                measure_command(command)  # warms the disk
                runs[name] = [measure_command(command) for _ in range(arguments.repeats)]

    median = {name: statistics.median(run["seconds"] for run in took) for name, took in runs.items()}
    peak = {name: max(run["peak_mb"] for run in took) for name, took in runs.items()}
    results = []
    if arguments.mdm:
        ratios = [theirs["seconds"] / ours["seconds"] for ours, theirs in zip(runs["ours"], runs["mdm"], strict=True)]
        results.append(("MDM's denoising time / ours (median of ratios)", statistics.median(ratios), ">=", 20.0))
    results.append(("our denoising, peak memory, MB", peak["ours"], "<=", 1536.0))
    if "generate" in median:
        results.append(("motion generate -o out.html, s", median["generate"], "<=", 10.0))
        results.append(("motion generate, peak memory, MB", peak["generate"], "<=", 1536.0))
        results.append(("motion --help, s", median["help"], "<=", 0.5))
    text, good = verdicts(results)
    print("\n".join(f"{name}: {1000 * seconds:.1f} ms" for name, seconds in median.items()))
    print(text)
    import torch

    torch.set_num_threads(arguments.threads)
    what = {"model": arguments.recipe or arguments.model, "random_weights": bool(arguments.recipe), "frames": FRAMES}
    values = {name: value for name, value, _, _ in results}
    write_json(arguments.out, {**what, "results": values, "runs": runs, "environment": environment()})
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
