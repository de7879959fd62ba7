"""Speed at equal quality: one network, walked by MDM's published loop and by ours, judged by the same evaluator.

    python -m benchmarks.equal_quality --mdm PATH_TO_MOTION_DIFFUSION_MODEL --data data/bandai_cmu

``sampling_speed`` compares a small network with a large one, whose motions are not of the same quality. Here the
weights are the same (``text_to_motion_small``): MDM's own ``p_sample_loop`` with its own wrapper for guidance takes all
1,000 steps that the network was trained with, two passes a step, or fewer by its ``timestep_respacing``; ours is what
ships. Captions, lengths, threads, the lock of the feet and the judges are the same. Quality is that of one draw of
``--samples`` test clips; seconds are those of 16 of them, in turns, and the median of the ratios is quoted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmarks.common import environment, table, write_json
from benchmarks.sampling_speed import published_mdm
from motion_platform.core.config import MetricRecipe
from motion_platform.core.schema import Condition, Edit, Motion, Sampling, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation.bounds.motion import RealMotion
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.protocol import Repeats, row
from motion_platform.evaluation.sources import ModelSource, Source
from motion_platform.evaluation.testset import TestSet
from motion_platform.generators.diffusion.mdm import MDM
from motion_platform.generators.diffusion.windows import plan_windows
from motion_platform.model.motion_model import MotionModel

METRICS = (MetricRecipe(name="frechet", space="text_motion"), MetricRecipe(name="recognition", space="recogniser"),
           MetricRecipe(name="movement"), MetricRecipe(name="r_precision", space="text_motion"))  # fmt: skip
SHOWN = ("frechet", "recognition_content", "recognition_style", "movement", "r_precision_top_1", "ms", "times")
SEED = 0
TIMED = 16


class ForTheirs(nn.Module):
    """Our network as MDM's code calls its own: x (B, D, 1, T), timesteps (B,), y -> clean motion of x's shape."""

    cond_mask_prob, cond_mode, data_rep, translation, nfeats = 0.1, "text", "hml_vec", True, 1
    rot2xyz = encode_text = None

    def __init__(self, network: MDM, given: Mapping[str, Condition], lengths: Tensor) -> None:
        super().__init__()
        self.network, self.njoints = network, network.spec.dim
        windows = plan_windows(lengths, network.max_frames, network.overlap)
        self.mask = length_mask(lengths, int(lengths.max()))
        self.told, self.untold = (
            network.passes(given, [(slots, 1.0)], windows, self.mask) for slots in (network.slots, ())
        )

    def forward(self, x: Tensor, timesteps: Tensor, y: Mapping[str, Any]) -> Tensor:
        context = self.untold if y.get("uncond") else self.told
        frames = x[:, :, 0].transpose(1, 2)
        out = self.network.denoise(frames, self.network.embed(timesteps), context, self.mask)
        return out.transpose(1, 2)[:, :, None]


class PublishedLoop(MDM):
    """Our network whose motions MDM's code samples. ``diffusion``: its GaussianDiffusion; ``guide``: its wrapper."""

    diffusion: Any
    guide: Any
    scale: float

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions by ``p_sample_loop``; its noise is torch's, the same in every batch. Guidance is ``scale``."""
        shape = (len(lengths), self.spec.dim, 1, int(lengths.max()))
        inner = ForTheirs(self, given, lengths)
        told = {"scale": torch.full((len(lengths),), self.scale), "mask": inner.mask[:, None, None]}
        torch.manual_seed(SEED)
        with torch.inference_mode():
            x = self.diffusion.p_sample_loop(
                self.guide(inner), shape, clip_denoised=False, model_kwargs={"y": told}, progress=False
            )
            x = self.finish(self.leave(x[:, :, 0].transpose(1, 2)), lengths, Sampling(), False)
        return Motion(torch.where(inner.mask[..., None], x, 0.0), lengths, self.spec)


def by_published_loop(model: MotionModel, mdm: Path, steps: int) -> MotionModel:
    """The model, whose motions MDM's own code samples in ``steps`` of the steps it was trained with."""
    network = cast(MDM, model.trainable)
    scales = set(network.guidance.values())
    if network.prediction != "x0" or network.schedule.name != "cosine" or len(scales) != 1:
        raise SystemExit(
            f"{model.card.name}: MDM's code samples x0 on a cosine with one scale of guidance; "
            f"got {network.prediction}, {network.schedule.name}, {network.guidance}"
        )
    theirs = published_mdm(mdm)
    network.__class__ = PublishedLoop
    walk = cast(PublishedLoop, network)
    walk.diffusion, walk.guide = theirs.diffusion(network.schedule.steps, steps), theirs.guide
    walk.scale = scales.pop()
    return model


def judged(source: Source, judges: Judges) -> dict[str, float]:
    """Value -> number of one draw."""
    found = row(source, judges, Repeats(repeats=1, seed=SEED)).facts["metrics"]
    return {name: value["mean"] for name, value in found.items()}


def seconds(source: ModelSource, test: TestSet) -> float:
    """A motion, of the first ``TIMED`` clips."""
    items = test.batches[0][:TIMED]
    before, made = source.seconds, source.made
    source.predict(test.batch(items, source.slots), items, SEED)
    return (source.seconds - before) / (source.made - made)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mdm", type=Path, required=True, help="a clone of github.com/GuyTevet/motion-diffusion-model")
    parser.add_argument("--data", type=Path, required=True, help="a prepared set whose test clips are asked for")
    parser.add_argument("--model", default="text_to_motion_small")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--steps", type=int, nargs="+", default=[1000, 50], help="of MDM's loop")
    parser.add_argument("--rounds", type=int, default=3, help="turns of the timing")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    test = TestSet(PreparedDataset.open(given.data), "test", samples=given.samples)
    judges = Judges(METRICS, test)
    rows = {"real clips": judged(RealMotion(), judges)}
    sources = {"ours, as it ships": MotionModel.from_pretrained(given.model)}
    for steps in given.steps:
        name = f"MDM's loop, {steps} steps"
        sources[name] = by_published_loop(MotionModel.from_pretrained(given.model), given.mdm, steps)
    walks = {name: ModelSource(model, lengths="natural") for name, model in sources.items()}
    for name, walk in walks.items():
        rows[name] = judged(walk, judges)
    turns = [{name: seconds(walk, test) for name, walk in walks.items()} for _ in range(given.rounds)]
    ours = next(iter(walks))
    for name in walks:
        rows[name]["ms"] = 1000 * statistics.median(turn[name] for turn in turns)
        rows[name]["times"] = statistics.median(turn[name] / turn[ours] for turn in turns)
    cells = [[name, *(f"{of[value]:.3g}" if value in of else "" for value in SHOWN)] for name, of in rows.items()]
    print(table(cells, ["", *SHOWN]))
    write_json(given.out, {"rows": rows, "samples": given.samples, "model": given.model, "environment": environment()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
