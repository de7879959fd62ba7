"""The health of a motion tokenizer: are its codes used, and what is lost on the way through them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motion_platform.core.config import MetricRecipe
from motion_platform.core.contracts import MotionTokenizer
from motion_platform.core.schema import Batch, Motion, length_mask
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.passes import measure
from motion_platform.evaluation.sources import ReconstructionSource, Source
from motion_platform.evaluation.testset import Item, TestSet
from motion_platform.model.run import Run
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import Skeleton, get_skeleton

GROUPS = ("left_arm", "right_arm", "left_leg", "right_leg")
"""Parts of a skeleton; what is in none of them is the trunk (with head and root)."""


def joint_groups(skeleton: Skeleton) -> dict[str, list[int]]:
    """Group -> its joints; every joint is in one."""
    groups = {name: skeleton.indices(name) for name in GROUPS if name in skeleton.parts}
    limbs = {j for joints in groups.values() for j in joints}
    return {"trunk": [j for j in range(len(skeleton)) if j not in limbs], **groups}


class PartlyReconstructed(ReconstructionSource):
    """Real motion, but the joints of one group as the tokenizer gives them back."""

    def __init__(self, whole: ReconstructionSource, group: str, columns: Tensor) -> None:
        super().__init__(whole.model, name=f"{whole.name}: {group}")
        self.columns = columns

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        made = super().predict(batch, items, seed)
        x = batch.motion.x[..., self._columns].to(made.x).clone()
        x[..., self.columns] = made.x[..., self.columns]
        return Motion(x, made.lengths, made.spec)


@torch.no_grad()
def usage(run: Run, split: str, samples: int | None = None, batch_size: int = 64) -> dict[str, list[float]]:
    """{"perplexity": a number a codebook, "dead": the share of codes that no step of the split uses, "steps": [n]}.

    Perplexity: exp of the entropy of the codes' frequencies, from 1 to the number of codes (T2M-GPT's training log).
    """
    tokenizer: MotionTokenizer = run.model.trainable
    test = TestSet(run.open_data(), split, samples, batch_size, None)
    columns = test.dataset.columns(run.model.spec.representation)
    counts = torch.zeros(tokenizer.codebooks, tokenizer.codes)
    for items in test.batches:
        motion = test.batch(items, ()).motion
        tokens = tokenizer.encode(Motion(motion.x[..., columns], motion.lengths, run.model.spec).to(run.model.device))
        ids = tokens.ids[length_mask(tokens.lengths, tokens.ids.shape[1])].cpu()
        for q in range(tokenizer.codebooks):
            counts[q] += torch.bincount(ids[:, q], minlength=tokenizer.codes)
    share = (counts / counts.sum(1, keepdim=True)).double()
    return {
        "perplexity": torch.special.entr(share).sum(1).exp().tolist(),
        "dead": (counts == 0).double().mean(1).tolist(),
        "steps": [float(counts[0].sum())],
    }


@torch.no_grad()
def report(
    run: Run,
    *,
    split: str = "test",
    training: str = "train",
    samples: int | None = None,
    space: str | None = None,
    max_frames: int | None = 196,
) -> dict[str, Any]:
    """Codes counted on the split ``training``, reconstruction measured on ``split`` (``samples`` clips of each).

    mpjpe: mm, root-relative, and of every joint group. frechet: in ``space`` (None: not measured); of a group: of
    real motions in which that group alone is as reconstructed. refused: metric -> why it is not measured.
    """
    was_training = run.model.training
    run.model.eval()
    tokenizer, skeleton = run.model.trainable, get_skeleton(run.model.spec.skeleton)
    groups = joint_groups(skeleton)
    test = TestSet(run.open_data(), split, samples, 64, max_frames)
    metrics = [MetricRecipe(name=name) for name in ("mpjpe", "joint_error", "root_error")]
    if space is not None:
        metrics.append(MetricRecipe(name="frechet", space=space))
    judges = Judges(metrics, test, device=str(run.model.device), lenient=True)

    refused = dict(judges.refused)

    def values(source: Source, names: Sequence[str]) -> dict[str, float]:
        source.prepare(test, 0, 1)
        chosen = [judge for judge in judges.all if judge.recipe.name in names]
        found = measure(source, judges, chosen, 0)
        computed = found.compute(chosen)
        refused.update(found.refused)
        return {name: value for _, named in computed.values() for name, value in named.items()}

    whole = ReconstructionSource(run.model)
    measured = values(whole, [metric.name for metric in metrics])
    error = {j: measured.get(f"joint_error_{skeleton.joints[j]}", 0.0) for j in range(len(skeleton))}
    result: dict[str, Any] = {
        "tokenizer": run.model.card.name,
        "split": split,
        "clips": len(test.rows),
        "codes": tokenizer.codes,
        "codebooks": tokenizer.codebooks,
        "stride": tokenizer.stride,
        **usage(run, training, samples),
        **{name: measured[name] for name in ("mpjpe", "mpjpe_global", "root_error")},
        "mpjpe_of": {group: sum(error[j] for j in joints) / len(joints) for group, joints in groups.items()},
    }
    if "frechet" in measured:
        representation = get_representation(run.model.spec.representation)
        result["frechet"] = measured["frechet"]
        result["frechet_of"] = {
            group: values(PartlyReconstructed(whole, group, representation.columns(joints)), ["frechet"])["frechet"]
            for group, joints in groups.items()
        }
    run.model.train(was_training)
    return {**result, "refused": refused}


def lines(result: dict[str, Any]) -> list[str]:
    """The report for a person."""
    said = [
        f"{result['tokenizer']}: {result['codebooks']} codebook{'s' * (result['codebooks'] > 1)} of {result['codes']} "
        f"codes, one for {result['stride']} frames; {result['clips']} clips of {result['split']}"
    ]
    for q, (perplexity, dead) in enumerate(zip(result["perplexity"], result["dead"], strict=True)):
        said.append(f"codebook {q + 1}: perplexity {perplexity:.0f}, dead codes {100 * dead:.1f} %")
    said.append(f"mpjpe {result['mpjpe']:.1f} mm (in the world {result['mpjpe_global']:.0f} mm)")
    said += [f"  {group:<10} {value:.1f} mm" for group, value in result["mpjpe_of"].items()]
    if "frechet" in result:
        said.append(f"frechet {result['frechet']:.4f}")
        said += [f"  {group:<10} {value:.4f}" for group, value in result["frechet_of"].items()]
    return said + [f"{metric} is not measured: {why}" for metric, why in result["refused"].items()]
