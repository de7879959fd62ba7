"""A body to draw around a skeleton: tapered capsules between points that are mixtures of joints.

Every picture (page, film-strip, video, glb) draws the same body. It follows the joint positions exactly: nothing is
smoothed, retargeted or hidden. A skeleton with human joints gets a modelled figure; any other tree one limb a bone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.joint_names import locate
from motion_platform.motion.skeleton import Skeleton

CENTRE, LEFT, RIGHT, HEAD = range(4)
"""Tones: which colour a part takes."""

COLOURS = {
    "light": ("#cfc9c0", "#3f7fd6", "#ea7a3c", "#e6dfd5"),
    "dark": ("#c9c4bd", "#5b9bf0", "#f58a4b", "#e2dcd3"),
}
"""CENTRE, LEFT, RIGHT, HEAD for each theme; blue and orange stay apart for colour-blind readers."""

REFERENCE_LEG = 0.80
"""Hip to ankle of the person for whom the radii below are written, in metres."""

# A point is a sum of (role, weight); "~" stands for the side. Weights of a point add up to one, so it moves along.
POINTS: dict[str, tuple[tuple[str, float], ...]] = {
    "waist~": (("spine1", 1.0), ("~hip", 0.30), ("-hip", -0.30)),
    "belly": (("spine1", 0.5), ("spine2", 0.5)),
    "chest~": (("chest", 1.0), ("~shoulder", 0.20), ("-shoulder", -0.20)),
    "breast~": (("chest", 0.45), ("spine2", 0.55), ("~shoulder", 0.19), ("-shoulder", -0.19)),
    "throat": (("chest", 0.25), ("neck", 0.75)),
    "skull": (("head", 1.35), ("neck", -0.35)),
    "crown": (("head", 1.95), ("neck", -0.95)),
    "calf~": (("~knee", 0.72), ("~ankle", 0.28)),
    "forearm~": (("~elbow", 0.75), ("~wrist", 0.25)),
    "palm~": (("~wrist", 1.30), ("~elbow", -0.30)),
    "fingers~": (("~wrist", 1.58), ("~elbow", -0.58)),
    "heel~": (("~ankle", 1.28), ("~knee", -0.10), ("~foot", -0.18)),
    "toe~": (("~foot", 1.38), ("~ankle", -0.48), ("~knee", 0.10)),
}

# (from, to, radius, radius, tone); radii in metres for REFERENCE_LEG.
PARTS: tuple[tuple[str, str, float, float, int], ...] = (
    ("~hip", "-hip", 0.096, 0.096, CENTRE),
    ("~hip", "waist~", 0.096, 0.090, CENTRE),
    ("waist~", "breast~", 0.090, 0.094, CENTRE),
    ("waist~", "waist-", 0.091, 0.091, CENTRE),
    ("pelvis", "belly", 0.100, 0.096, CENTRE),
    ("belly", "chest", 0.096, 0.106, CENTRE),
    ("breast~", "breast-", 0.094, 0.094, CENTRE),
    ("breast~", "chest~", 0.094, 0.094, CENTRE),
    ("chest~", "chest-", 0.098, 0.098, CENTRE),
    ("chest", "throat", 0.108, 0.070, CENTRE),
    ("breast~", "~shoulder", 0.094, 0.060, CENTRE),
    ("chest~", "~collar", 0.094, 0.080, CENTRE),
    ("~collar", "~shoulder", 0.080, 0.062, CENTRE),
    ("throat", "~collar", 0.074, 0.078, CENTRE),
    ("throat", "~shoulder", 0.070, 0.056, CENTRE),
    ("throat", "skull", 0.064, 0.054, HEAD),
    ("skull", "crown", 0.076, 0.090, HEAD),
    ("~hip", "~knee", 0.088, 0.056, LEFT),
    ("~knee", "calf~", 0.055, 0.057, LEFT),
    ("calf~", "~ankle", 0.057, 0.038, LEFT),
    ("~ankle", "heel~", 0.038, 0.033, LEFT),
    ("~ankle", "~foot", 0.036, 0.034, LEFT),
    ("heel~", "~foot", 0.033, 0.036, LEFT),
    ("~foot", "toe~", 0.036, 0.026, LEFT),
    ("~shoulder", "~elbow", 0.064, 0.042, LEFT),
    ("~elbow", "forearm~", 0.042, 0.044, LEFT),
    ("forearm~", "~wrist", 0.044, 0.028, LEFT),
    ("~wrist", "palm~", 0.029, 0.036, LEFT),
    ("palm~", "fingers~", 0.036, 0.020, LEFT),
)


KEY_POINTS = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
"""What a figure in the image plane needs; elbows, wrists, knees and ankles are drawn where there are any."""


STRIPS, STRIP = 15, 0.036
"""The trunk of a figure in the image plane: how many strips, and their radius as a share of its height."""


@dataclass(frozen=True)
class Body:
    """K points, each a mixture of the J joints, and N tapered capsules between them.

    weights (K, J): rows add up to one. owner (K,): the joint whose rotation carries the point (for skinning).
    ends (N, 2): indices into the points. radii (N, 2) in metres. tones (N,): CENTRE, LEFT, RIGHT or HEAD.
    """

    weights: np.ndarray
    owner: np.ndarray
    ends: np.ndarray
    radii: np.ndarray
    tones: np.ndarray

    def place(self, joints: np.ndarray) -> np.ndarray:
        """joints (..., J, 3) -> points (..., K, 3)."""
        return np.einsum("kj,...jc->...kc", self.weights.astype(joints.dtype), joints)


def build_body(clip: Clip) -> Body:
    """The body for a clip: proportions from its mean bone lengths."""
    roles = human_roles(clip.skeleton)
    lengths = bone_lengths(clip)
    if roles:
        return _human(clip, lengths, roles)
    if clip.skeleton.dims == 2 and all(joint in clip.skeleton.joints for joint in KEY_POINTS):
        return _key_points(clip)
    return _limbs(clip.skeleton, lengths, lengths.sum() / 4.2)


def bone_lengths(clip: Clip) -> np.ndarray:
    """(J,) mean distance of each joint to its parent in metres; the root has 0."""
    lengths = np.zeros(len(clip.skeleton))
    for parent, child in clip.skeleton.bones:
        step = clip.joints[:, child].astype(np.float64) - clip.joints[:, parent]
        lengths[child] = np.linalg.norm(step, axis=-1).mean()
    return lengths


def side_of(joint: str) -> int:
    """LEFT, RIGHT or CENTRE, from the name: left_knee, LeftKnee, l_knee, UpperLeg_L, lowerarm.r, RKnee."""
    for tone, word, letter in ((LEFT, "left", "l"), (RIGHT, "right", "r")):
        if word in joint.lower() or re.search(rf"(^|[_.\-: ]){letter}([_.\-: ]|$)", joint.lower()):
            return tone
        if re.match(rf"{letter.upper()}[A-Z][a-z]", joint):
            return tone
    return CENTRE


def human_roles(skeleton: Skeleton) -> dict[str, list[tuple[int, float]]] | None:
    """Role -> mixture of joints, for a human skeleton in three dimensions; None for any other tree."""
    if skeleton.dims != 3:
        return None
    try:
        places = locate(list(skeleton.joints), None, skeleton.name)[1]
    except DataError:  # not one of the conventions of joint_names.yaml
        return None
    roles = {}
    for role, (first, second, share) in places.items():
        roles[role] = [(skeleton.index(first), 1.0 - share), (skeleton.index(second), share)]
    roles["chest"] = roles["spine3"]
    return roles


class _Builder:
    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.rows: list[np.ndarray] = []
        self.owners: list[int] = []
        self.names: dict[str, int] = {}
        self.parts: list[tuple[int, int, float, float, int]] = []

    def point(self, name: str, terms: list[tuple[int, float]]) -> int:
        if name not in self.names:
            row = np.zeros(len(self.skeleton))
            for joint, weight in terms:
                row[joint] += weight
            self.names[name] = len(self.rows)
            self.rows.append(row)
            self.owners.append(terms[0][0])
        return self.names[name]

    def body(self) -> Body:
        a, b, ra, rb, tones = zip(*self.parts, strict=True)
        return Body(
            np.array(self.rows),
            np.array(self.owners, np.int64),
            np.array([a, b], np.int64).T.copy(),
            np.array([ra, rb]).T.copy(),
            np.array(tones, np.int64),
        )


def _human(clip: Clip, lengths: np.ndarray, roles: dict[str, list[tuple[int, float]]]) -> Body:
    skeleton = clip.skeleton
    scale = _leg(clip, roles) / REFERENCE_LEG
    builder = _Builder(skeleton)

    def resolve(name: str, side: str) -> str:
        other = "right" if side == "left" else "left"
        name = name.replace("~", f"{side}_") if name.startswith("~") else name.replace("~", f".{side}")
        return name.replace("-", f"{other}_") if name.startswith("-") else name.replace("-", f".{other}")

    def point(name: str, side: str) -> int:
        key = resolve(name, side)
        if key in roles:
            return builder.point(key, roles[key])
        if name.endswith("-"):  # the same point on the other side
            side = "right" if side == "left" else "left"
        terms = [
            (joint, weight * share)
            for role, weight in POINTS[name.replace("-", "~")]
            for joint, share in roles[resolve(role, side)]
        ]
        return builder.point(key, terms)

    for start, end, radius_start, radius_end, tone in PARTS:
        sided = "~" in start + end
        crosses = "-" in start + end
        for side in ("left",) if crosses or not sided else ("left", "right"):
            colour = {"left": LEFT, "right": RIGHT}[side] if tone == LEFT else tone
            a, b = point(start, side), point(end, side)
            builder.parts.append((a, b, radius_start * scale, radius_end * scale, colour))
    known = {joint for terms in roles.values() for joint, _ in terms}
    face = set(skeleton.indices("head")) if "head" in skeleton.parts else set()
    for parent, child in skeleton.bones:  # fingers, tails, props: what hangs on the figure
        if child not in known and lengths[child] > 1e-4 and not _leads_to(skeleton, child, known):
            radius = min(0.014 * scale, 0.5 * lengths[child])
            a, b = builder.point(f"#{parent}", [(parent, 1.0)]), builder.point(f"#{child}", [(child, 1.0)])
            tone = HEAD if child in face else side_of(skeleton.joints[child])
            builder.parts.append((a, b, radius, radius * 0.8, tone))
    return builder.body()


def _leg(clip: Clip, roles: dict[str, list[tuple[int, float]]]) -> float:
    """Hip to ankle along the bones, in metres, mean of both sides and all frames."""
    total = 0.0
    for side in ("left", "right"):
        hip, knee, ankle = (
            sum(weight * clip.joints[:, joint].astype(np.float64) for joint, weight in roles[f"{side}_{role}"])
            for role in ("hip", "knee", "ankle")
        )
        total += np.linalg.norm(knee - hip, axis=-1).mean() + np.linalg.norm(ankle - knee, axis=-1).mean()
    return max(total / 2, 1e-6)


def _leads_to(skeleton: Skeleton, joint: int, known: set[int]) -> bool:
    """Whether a known joint hangs below this one: then the figure covers the bone."""
    for other in known:
        while other > joint:
            other = skeleton.parents[other]
        if other == joint:
            return True
    return False


def _key_points(clip: Clip) -> Body:
    """A figure for key points of an image (COCO): trunk, neck and head between them, then the limbs."""
    skeleton, builder = clip.skeleton, _Builder(clip.skeleton)
    at = {joint: j for j, joint in enumerate(skeleton.joints)}
    shoulders = [(at["left_shoulder"], 0.5), (at["right_shoulder"], 0.5)]
    hips = [(at["left_hip"], 0.5), (at["right_hip"], 0.5)]
    (left, right), (low_left, low_right) = ([clip.joints[:, j] for j, _ in pair] for pair in (shoulders, hips))
    trunk = ((left + right) - (low_left + low_right)) / 2
    size = max(float(np.linalg.norm(trunk, axis=-1).mean()), 1e-6)
    ears = [at[joint] for joint in ("left_ear", "right_ear") if joint in at]
    head = [(j, 1 / len(ears)) for j in ears] if ears else [(at["nose"], 1.0)]

    def joint(name: str) -> int:
        return builder.point(name, [(at[name], 1.0)])

    def part(a: int, b: int, ra: float, rb: float, tone: int) -> None:
        builder.parts.append((a, b, ra * size, rb * size, tone))

    chest, skull = builder.point("chest", shoulders), builder.point("skull", head)
    # All lies in one plane, and arms must be seen before the trunk: so it is a curtain of strips thinner than a wrist.
    for row in ("shoulder", "hip"):
        part(joint(f"left_{row}"), joint(f"right_{row}"), STRIP, STRIP, CENTRE)
    for i in range(STRIPS):
        share = i / (STRIPS - 1)
        top, bottom = (
            builder.point(f"{row} {i}", [(at[f"left_{row}"], share), (at[f"right_{row}"], 1 - share)])
            for row in ("shoulder", "hip")
        )
        part(top, bottom, STRIP, STRIP, CENTRE)
    part(chest, skull, 0.10, 0.09, HEAD)
    part(skull, skull, 0.20, 0.20, HEAD)
    part(joint("nose"), joint("nose"), 0.045, 0.045, HEAD)
    for side, tone in (("left", LEFT), ("right", RIGHT)):
        for limbs, radii in (
            (("shoulder", "elbow", "wrist"), (0.095, 0.075, 0.06)),
            (("hip", "knee", "ankle"), (0.13, 0.10, 0.07)),
        ):
            for i in (0, 1):
                a, b = (f"{side}_{limb}" for limb in limbs[i : i + 2])
                if a in at and b in at:
                    part(joint(a), joint(b), radii[i], radii[i + 1], tone)
    return builder.body()


def _limbs(skeleton: Skeleton, lengths: np.ndarray, size: float) -> Body:
    """One tapered limb a bone, thicker the more of the body hangs on it."""
    size = size if size > 1e-6 else 1.0
    hanging = lengths.copy()
    for child in range(len(skeleton) - 1, 0, -1):
        hanging[skeleton.parents[child]] += hanging[child]
    radius = size * (0.022 + 0.060 * np.sqrt(hanging / max(hanging[0], 1e-9)))
    builder = _Builder(skeleton)
    for parent, child in skeleton.bones:
        if lengths[child] <= 1e-6:
            continue
        a = builder.point(f"#{parent}", [(parent, 1.0)])
        b = builder.point(f"#{child}", [(child, 1.0)])
        start = min(radius[child], 0.45 * lengths[child])
        tone = HEAD if "head" in skeleton.joints[child].lower() else side_of(skeleton.joints[child])
        builder.parts.append((a, b, start, min(start, radius[child] * 0.8), tone))
    for j, joint in enumerate(skeleton.joints):
        if joint.lower() in ("head", "nose"):
            a = builder.point(f"#{j}", [(j, 1.0)])
            builder.parts.append((a, a, 0.055 * size, 0.055 * size, HEAD))
    if not builder.parts:  # a single joint, or all joints in one place
        a = builder.point("#0", [(0, 1.0)])
        builder.parts.append((a, a, 0.05 * size, 0.05 * size, CENTRE))
    return builder.body()
