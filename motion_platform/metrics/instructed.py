"""Does a body do what it was told? Turns, speeds and hands, measured on the joints, without any learned judge.

What was told is the ``content`` label of a sample, split at hyphens ("walk-turn-left" tells to walk, turn, left). The
definitions are ours; their rates on real clips, which are the ceiling, are in benchmarks/README.md.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric, State, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import check_batch, joint_indices, joints_of

SIDES = {"left": 1.0, "right": -1.0}
SLOW, FAST = {"walk"}, {"run", "dash"}


@dataclass
class InstructedState(State):
    """rows: sample id -> {check: 1.0 right or 0.0 wrong}. speeds: sample id -> ("slow" | "fast", style, m/s).

    Every sample that was looked at is in ``rows``, with nothing to check or not.
    """

    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    speeds: dict[str, tuple[str, str, float]] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: InstructedState) -> InstructedState:
        merge_ids(self.ids, other.ids)
        return InstructedState({**self.rows, **other.rows}, {**self.speeds, **other.speeds})

    def subset(self, samples: set[str]) -> InstructedState:
        rows, speeds = (
            {sample: value for sample, value in table.items() if sample in samples}
            for table in (self.rows, self.speeds)
        )
        return InstructedState(rows, speeds)

    def compute(self) -> dict[str, float]:
        """``instructed`` (all answers) and ``instructed_<check>``, a ratio each; checks nobody took are not there.

        A run is right when it is faster than the median walk of its style, a walk when it is slower than the median
        run of its style; a style that has only one of them is compared with all styles.
        Errors: DataError when there are no samples.
        """
        if not self.rows:
            raise DataError("instructed: no samples; there is nothing to check")
        answers: dict[str, list[float]] = {}
        for sample in sorted(self.rows):
            for check, right in self.rows[sample].items():
                answers.setdefault(check, []).append(right)
        for sample in sorted(self.speeds):
            kind, style, speed = self.speeds[sample]
            others = [(s, v) for k, s, v in self.speeds.values() if k != kind]
            rivals = [v for s, v in others if s == style] or [v for _, v in others]
            if rivals:
                middle = statistics.median(rivals)
                right = speed > middle if kind == "fast" else speed < middle
                answers.setdefault("speed", []).append(float(right))
        pooled = [right for rights in answers.values() for right in rights]
        result = {"instructed": sum(pooled) / len(pooled)} if pooled else {}
        return result | {f"instructed_{check}": sum(rights) / len(rights) for check, rights in answers.items()}


class Instructed(Metric):
    """Part of the samples that do what their content label tells, for what can be told from joints alone.

    turn: the heading changes to the side told ("turn-left": the net turn about Y, unrolled, is positive).
    hand: every hand told ("raise-up-left-hand", "wave-both-hands") rises above the upper chest (``spine3``), and a hand
    that is not told stays below it; the shoulder is too high a bar, as restrained styles lift a hand to it.
    speed: who runs or dashes is faster than who walks (see InstructedState).
    direction: "walk-back" goes against the heading, "walk-left" and "walk-right" end to that side.
    """

    name = "instructed"
    unit = "ratio"
    higher_is_better = True
    needs = None

    def __init__(self, target: str = "content") -> None:
        self.target = target

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> InstructedState:
        """Errors: DataError without labels or for a NaN in the prediction."""
        check_batch(prediction, batch, self.name)
        if batch.labels is None:
            raise DataError(f"{self.name}: the batch has no labels; this metric needs a data set with labels")
        body = _Body(prediction)
        rows: dict[str, dict[str, float]] = {}
        speeds: dict[str, tuple[str, str, float]] = {}
        for sample, joints, labels in zip(batch.ids, joints_of(prediction), batch.labels, strict=True):
            content = (labels or {}).get(self.target, "")
            told = content.split("-")
            rows[sample] = {check: float(right) for check, right in body.checks(joints, told).items()}
            if content in SLOW | FAST:
                kind = "slow" if content in SLOW else "fast"
                speeds[sample] = (kind, labels.get("style", ""), body.speed(joints))
        return InstructedState(rows, speeds)


class _Body:
    """Measures on (T, J, 3) joints of the prediction's skeleton."""

    def __init__(self, prediction: Motion) -> None:
        self.fps = prediction.spec.fps
        self.hips = joint_indices(prediction, ["left_hip", "right_hip"])
        self.shoulders = joint_indices(prediction, ["left_shoulder", "right_shoulder"])
        self.chest = joint_indices(prediction, ["spine3"])
        self.wrists = joint_indices(prediction, ["left_wrist", "right_wrist"])

    def checks(self, joints: Tensor, told: list[str]) -> dict[str, bool]:
        """Check -> right or wrong, for what ``told`` contains."""
        result: dict[str, bool] = {}
        side = next((SIDES[word] for word in told if word in SIDES), None)
        if "turn" in told and side is not None:
            result["turn"] = self.turn(joints) * side > 0
        elif "hand" in told or "hands" in told:
            result["hand"] = self._hands(joints, side)
        elif told == ["walk", "back"]:
            result["direction"] = self._travel(joints)[0] < 0
        elif told[:1] == ["walk"] and len(told) == 2 and side is not None:
            result["direction"] = self._travel(joints)[1] * side > 0
        return result

    def heading(self, joints: Tensor) -> Tensor:
        """(T,) radians about Y, 0 facing Z+, positive to the left, unrolled in time."""
        across = joints[:, self.hips[0]] - joints[:, self.hips[1]]
        across = across + joints[:, self.shoulders[0]] - joints[:, self.shoulders[1]]
        angle = torch.atan2(-across[:, 2], across[:, 0])
        step = torch.diff(angle)
        step = torch.atan2(torch.sin(step), torch.cos(step))
        return torch.cat([angle[:1], angle[:1] + step.cumsum(0)])

    def turn(self, joints: Tensor) -> float:
        """Net change of heading, radians."""
        angle = self.heading(joints)
        return float(angle[-1] - angle[0])

    def speed(self, joints: Tensor) -> float:
        """Mean horizontal speed of the root, m/s."""
        if len(joints) < 2:
            return 0.0
        return float(torch.diff(joints[:, 0, [0, 2]], dim=0).norm(dim=-1).mean()) * self.fps

    def _hands(self, joints: Tensor, side: float | None) -> bool:
        up = (joints[:, self.wrists, 1] - joints[:, self.chest, 1]).amax(0) > 0  # (2,) left, right
        told = torch.tensor([side != SIDES["right"], side != SIDES["left"]])
        return bool((up == told).all())

    def _travel(self, joints: Tensor) -> tuple[float, float]:
        """Net way of the root in metres (forward, to the left) in the body's own frame, summed over steps."""
        if len(joints) < 2:
            return 0.0, 0.0
        angle = self.heading(joints)[:-1]
        x, z = torch.diff(joints[:, 0, [0, 2]], dim=0).unbind(-1)
        forward = (x * torch.sin(angle) + z * torch.cos(angle)).sum()
        left = (x * torch.cos(angle) - z * torch.sin(angle)).sum()
        return float(forward), float(left)
