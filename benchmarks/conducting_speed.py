"""How long a minute of music takes to conduct, beside Diffusion-Conductor's own code in the same run.

    python -m benchmarks.conducting_speed --music FILE --theirs PATH_TO_DIFFUSION_CONDUCTOR

Ours: a recording's first minute as ``motion generate`` does it: read it, mel, beats and bars, ten steps with guidance.
Theirs: their network at their published size with random weights (8 layers, 128 wide, 60 s = 1,800 frames), since time
does not depend on them: the music encoder, then their DDIM loop of 1,000 steps without guidance, of which the first
``--steps`` are timed and the rest taken to cost the same. Their reading of the file and their mel are not counted.
Every measurement is a process of its own, warmed by one run; ours and theirs take turns; the median of the ratios is
quoted.
``--long FILE``: a recording of an hour, as a whole command: its peak memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

from benchmarks.common import environment, measure_command, peak_mb, take_turns, verdicts, write_json

SECONDS = 60.0
THEIR_STEPS = 1000


def measure_ours(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds from a file to conducted keypoints, weights loaded; the second time."""
    import torch

    from motion_platform.pipelines import generate

    torch.set_num_threads(arguments.threads)
    run = generate.load("music_to_conductor", arguments.model)

    def conduct(seed: int) -> float:
        start = time.perf_counter()
        given, count = generate.inputs_of(run, music=[arguments.music])
        clip = generate.make(run, given, count=count, seconds=[SECONDS], seed=seed)[0]
        seconds = time.perf_counter() - start
        if len(clip) != round(SECONDS * clip.fps):
            raise SystemExit(f"{arguments.music}: gives {len(clip)} frames; a minute of music is needed")
        return seconds

    first = conduct(0)
    return {"seconds": conduct(1), "first_seconds": first, "peak_mb": peak_mb()}


def measure_theirs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of their encoder and of 1,000 of their steps, as far as ``--steps`` of them tell."""
    import torch

    torch.set_num_threads(arguments.threads)
    sys.path.insert(0, str(Path(arguments.theirs).resolve() / "Diffusion_Stage"))
    sys.modules.setdefault("cv2", types.SimpleNamespace(norm=None))  # imported there, never called
    from models.gaussian_diffusion import (
        GaussianDiffusion,
        LossType,
        ModelMeanType,
        ModelVarType,
        get_named_beta_schedule,
    )
    from models.transformer import MotionTransformer

    torch.manual_seed(0)
    network = MotionTransformer(
        input_feats=26, num_frames=1800, num_layers=8, latent_dim=128, device="cpu", music_model_path=None
    ).eval()
    diffusion = GaussianDiffusion(
        betas=get_named_beta_schedule("linear", THEIR_STEPS), model_mean_type=ModelMeanType.START_X,
        model_var_type=ModelVarType.FIXED_SMALL, loss_type=LossType.MSE,
    )  # fmt: skip
    mel, length = torch.rand(1, 5400, 128), torch.tensor([1800])

    def sample(steps: int) -> tuple[float, float]:
        with torch.no_grad():
            start = time.perf_counter()
            told, tokens = network.encode_music(mel, "cpu")
            heard = time.perf_counter() - start
            given = {"xf_proj": told, "xf_out": tokens, "length": length}
            loop = diffusion.ddim_sample_loop_progressive(
                network, (1, 1800, 26), clip_denoised=False, model_kwargs=given
            )
            start = time.perf_counter()
            for _ in range(steps):
                x = next(loop)["sample"]
            seconds = time.perf_counter() - start
        if x.shape != (1, 1800, 26):
            raise SystemExit("their code did not make a motion of the asked length")
        return heard, seconds / steps

    sample(3)
    heard, step = sample(arguments.steps)
    parameters = sum(p.numel() for p in network.parameters())
    return {"seconds": heard + THEIR_STEPS * step, "step": step, "parameters": parameters, "peak_mb": peak_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--music", required=True, help="a recording of at least a minute")
    parser.add_argument("--theirs", help="a clone of github.com/viiika/Diffusion-Conductor; without: ours alone")
    parser.add_argument("--long", help="a recording of an hour: peak memory of the whole command")
    parser.add_argument("--model", default="conductor_small", help="checkpoint by name or folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50, help="of their 1,000 steps that are timed")
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--worker", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps({"ours": measure_ours, "theirs": measure_theirs}[arguments.worker](arguments)))
        return

    names = ["ours", "theirs"] if arguments.theirs else ["ours"]
    command = [sys.executable, "-m", "benchmarks.conducting_speed", "--music", arguments.music]
    command += ["--model", arguments.model, "--threads", str(arguments.threads), "--steps", str(arguments.steps)]
    command += ["--theirs", arguments.theirs] if arguments.theirs else []
    runs = take_turns(command, names, arguments.repeats, arguments.threads)
    median = {name: statistics.median(run["seconds"] for run in took) for name, took in runs.items()}
    results = []
    if arguments.theirs:
        ratios = [
            theirs["seconds"] / ours["seconds"] for ours, theirs in zip(runs["ours"], runs["theirs"], strict=True)
        ]
        results.append(("their seconds / ours (median of ratios)", statistics.median(ratios), ">=", 30.0))
    results.append(("music's seconds / ours, end to end", SECONDS / median["ours"], ">=", 15.0))
    if arguments.long:
        with tempfile.TemporaryDirectory() as folder:
            conduct = [sys.executable, "-m", "motion_platform", "generate", "music_to_conductor", "--model"]
            conduct += [arguments.model, "--music", arguments.long, "-o", str(Path(folder) / "out.npz")]
            runs["long"] = [measure_command(conduct)]
        results.append(("an hour, peak memory, MB", runs["long"][0]["peak_mb"], "<=", 2048.0))
    text, good = verdicts(results)
    print("\n".join(f"{name}: {seconds:.2f} s" for name, seconds in median.items()))
    print(text)
    what = {"model": arguments.model, "seconds_of_music": SECONDS, "threads": arguments.threads}
    values = {name: value for name, value, _, _ in results}
    write_json(arguments.out, {**what, "results": values, "runs": runs, "environment": environment()})
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
