"""From a motion to a sentence: what a recogniser sees, where measurements of the body do not speak against it.

A recogniser always answers with one of its labels. Here it is believed where it is sure of a family of labels (all that
walk, all that wave) and the body does what such a label needs: a wave has a hand up, a walk goes somewhere. Directions,
turns and hands are measured, never guessed. Of everything else the sentence says what was measured and names no action.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from motion_platform.core.contracts import Statement
from motion_platform.core.seeding import NoiseSource, seed_of
from motion_platform.motion.representations.guo import heading
from motion_platform.texts.statements import known_contents, statement

SURE, SURE_OF_STYLE = 0.7, 0.7
"""From this probability on a family of contents, or a style, is believed; chosen with all of CMU's clips in view."""

FAMILIES = {
    "walk": ("walk", "walk-back", "walk-left", "walk-right", "walk-turn-left", "walk-turn-right"),
    "run": ("run", "dash"),
    "raise": ("raise-up-both-hands", "raise-up-left-hand", "raise-up-right-hand"),
    "wave": ("wave-both-hands", "wave-left-hand", "wave-right-hand"),
    "bye": ("bye", "byebye"),
}
"""Labels that differ in what is measured here anyway; every other label is a family of its own."""

GOES, FAST, TURNS, AROUND, CIRCLE = 0.7, 0.25, 40.0, 150.0, 300.0
"""Metres and metres a second from which a body goes somewhere; degrees of a turn, of turning round, of a circle."""

PELVIS, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_WRIST, RIGHT_WRIST, NECK, ANKLES = 0, 16, 17, 20, 21, 12, (7, 8)


MEASUREMENTS = "measurements"
"""Who says a sentence that the recogniser has no part in."""


@dataclass(frozen=True)
class Measured:
    """What a body does as a whole. turn: degrees, to the left positive. travel: metres of its path; forward, left: of
    it, seen from the body. raised, moved: of the left and the right hand, metres above the shoulder nine tenths of the
    time at most, and mean distance from its mean place beside the shoulder. lean: greatest degrees of the trunk from
    upright. pelvis: its lowest height; foot: greatest height of an ankle, metres (of a body 1.7 m tall).
    """

    seconds: float
    turn: float
    travel: float
    forward: float
    left: float
    raised: tuple[float, float]
    moved: tuple[float, float]
    lean: float
    pelvis: float
    foot: float

    @property
    def goes(self) -> bool:
        """Does the body go somewhere?"""
        return self.travel > GOES and self.travel / self.seconds > FAST

    def hand(self) -> str:
        """ "left", "right" or "both": the hands that are up, else those that move."""
        for values, enough in ((self.raised, -0.15), (self.moved, 0.0)):
            left, right = values
            if max(values) > enough:
                near = 0.25 if enough else 0.5 * max(values)
                return "both" if abs(left - right) < near else "left" if left > right else "right"
        return "both"


def measure(joints: np.ndarray, fps: float) -> Measured:
    """(T, 22, 3) metres, Y up."""
    joints = np.asarray(joints, np.float64)
    angle = np.unwrap(heading(joints))
    few = max(1, min(5, len(joints) // 4))
    step = np.diff(joints[:, PELVIS], axis=0)
    cos, sin = np.cos(angle[:-1]), np.sin(angle[:-1])
    stride = max(1, min(round(fps / 2), len(joints) // 4))  # a swaying pelvis goes nowhere
    path = joints[np.r_[0 : len(joints) - 1 : stride, len(joints) - 1], PELVIS][:, [0, 2]]
    hands = [
        joints[:, wrist] - joints[:, shoulder]
        for wrist, shoulder in ((LEFT_WRIST, LEFT_SHOULDER), (RIGHT_WRIST, RIGHT_SHOULDER))
    ]
    raised = [float(np.percentile(hand[:, 1], 90)) for hand in hands]
    moved = [float(np.linalg.norm(hand - hand.mean(0), axis=1).mean()) for hand in hands]
    trunk = joints[:, NECK] - joints[:, PELVIS]
    return Measured(
        seconds=len(joints) / fps,
        turn=float(np.degrees(angle[-few:].mean() - angle[:few].mean())),
        travel=float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()),
        forward=float((sin * step[:, 0] + cos * step[:, 2]).sum()),
        left=float((cos * step[:, 0] - sin * step[:, 2]).sum()),
        raised=(raised[0], raised[1]),
        moved=(moved[0], moved[1]),
        lean=float(np.degrees(np.arccos(np.clip(trunk[:, 1] / np.linalg.norm(trunk, axis=1), -1, 1))).max()),
        pelvis=float(joints[:, PELVIS, 1].min()),
        foot=float(joints[:, ANKLES, 1].max()),
    )


def fits(family: str, body: Measured) -> bool:
    """Does the body do what a motion of this family cannot do without?"""
    upright = body.pelvis > 0.75
    stands = upright and body.travel < 1.5 and body.foot < 0.3 and abs(body.turn) < 60
    if family in ("walk", "run"):
        return upright and body.goes and body.foot < 0.9
    if family in ("raise", "wave", "bye", "respond"):
        return stands and max(body.raised) > -0.15 and max(body.moved) > 0.06
    if family == "bow":
        return body.lean > 20 and body.foot < 0.3 and upright
    if family == "kick":
        return body.foot > 0.5
    return upright and max(body.moved) > 0.05


def towards(body: Measured, diagonal: bool = False) -> str:
    """Where steps go: "forward", "backward", "sideways to the left", "forward and turns right", "in a circle"."""
    side = "left" if body.left > 0 else "right"
    if abs(body.left) > 1.2 * abs(body.forward):
        way = f"sideways to the {side}"
    elif body.forward < 0:
        way = "backward"
    elif diagonal or (abs(body.left) > 0.45 * body.forward and abs(body.turn) < TURNS):
        way = f"diagonally to the {side}"
    else:
        way = "forward"
    turned = "left" if body.turn > 0 else "right"
    if abs(body.turn) < TURNS or "the" in way:
        return way
    if abs(body.turn) < AROUND:
        return f"{way} and turns {turned}"
    return f"{way} and turns around to the {turned}" if abs(body.turn) < CIRCLE else f"in a circle to the {turned}"


def plainly(body: Measured) -> str:
    """What was measured, without the name of an action."""
    if body.goes:
        return f"a person moves {towards(body)}"
    most = max(body.moved)
    turned = "left" if body.turn > 0 else "right"
    if abs(body.turn) > 60:
        return f"a person moves in place, turning {turned}"
    if most < 0.02 and body.travel < 0.1:
        return "a person stays still"
    if most < 0.05:
        return "a person moves a little in place"
    hands = {"both": "both arms"}.get(body.hand(), f"the {body.hand()} arm")
    return f"a person stays in place and moves {hands}"


def draws_of(noise: NoiseSource) -> list[random.Random]:
    """What chooses between words, one a motion: another one for another seed or id."""
    return [random.Random(seed_of(noise.seed, sample, "words")) for sample in noise.ids]


def say(
    joints: Sequence[np.ndarray],
    probabilities: Mapping[str, Tensor],
    targets: Mapping[str, Sequence[str]],
    fps: float,
    draws: Sequence[random.Random],
) -> list[Statement]:
    """One sentence a motion. joints: (T, 22, 3) each. probabilities: target -> (B, labels) of ``content`` and, where
    there is one, ``style``. draws: chooses words, one a motion."""
    said = []
    for b, (clip, draw) in enumerate(zip(joints, draws, strict=True)):
        body = measure(clip, fps)
        content = dict(zip(targets["content"], probabilities["content"][b].tolist(), strict=True))
        family, sure = _best_family(content)
        if sure < SURE or not fits(family, body) or family not in known_contents():
            said.append(Statement(plainly(body), MEASUREMENTS))
            continue
        style = None
        if "style" in targets:
            best = int(probabilities["style"][b].argmax())
            style = targets["style"][best] if float(probabilities["style"][b, best]) >= SURE_OF_STYLE else None
        seen = max(FAMILIES.get(family, (family,)), key=lambda label: content.get(label, 0.0))
        steps = family in ("walk", "run")
        text = statement(
            family,
            style,
            hand=body.hand(),
            direction=towards(body, diagonal=seen in ("walk-left", "walk-right")) if steps else "",
            draw=draw,
        )
        said.append(Statement(text))
    return said


def _best_family(content: Mapping[str, float]) -> tuple[str, float]:
    family_of = {label: family for family, labels in FAMILIES.items() for label in labels}
    sums: dict[str, float] = {}
    for label, probability in content.items():
        family = family_of.get(label, label)
        sums[family] = sums.get(family, 0.0) + probability
    best = max(sums, key=lambda family: sums[family])
    return best, sums[best]
