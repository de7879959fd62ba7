"""Find the 22 joints of HumanML3D by the structure of a skeleton and the sides that its names tell.

For bodies whose names are of no known convention. Two pairs of limbs hang on a trunk. Names say which where they can
("knee" is in a leg, "forearm" in an arm, "eye" in neither); where they do not, the pair nearest to the root are the
legs, and of the others the longest are the arms. In a limb, a joint whose name says so is the knee or the elbow; else
the two long bones of similar length one after the other are thigh and shank, or upper arm and forearm, whatever their
joints are called: "LeftShoulder" is a collar here and an upper arm there. What stands between (spines, neck, collars,
toes) is filled in, and a body of no human proportions is refused.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.joint_names import Place

SHORTEST = 0.02
"""Metres; a joint nearer to its parent is taken for the same place (dummy joints, rolls)."""
SPINE = {"spine1": 0.24, "spine2": 0.50, "spine3": 0.60}
"""Shares of the way from pelvis to neck, as in SMPL's mean body."""
COLLAR = 0.42
"""Share of the way from the middle to the shoulder where no joint says it."""
LEG = re.compile("thigh|femur|knee|shin|calf|tibia|shank|ankle|foot|toe|leg")
ARM = re.compile("arm|elbow|humerus|radius|ulna|wrist|hand|shldr|shoulder|clavicle|collar")
KNEE = re.compile(r"knee|shin|calf|tibia|shank|low(er)?_?leg")
ELBOW = re.compile(r"elbow|fore_?arm|radius|low(er)?_?arm")
NO_LIMB = re.compile(
    r"eye|brow|jaw|lip|mouth|oris|tongue|cheek|nose|levator|risorius|special|temporalis|orbicularis|ear|face|hair|breast"
    r"|finger|thumb|index|pinky|carpal|tail|wing|skirt"
)
SEGMENT = re.compile("upper|lower|fore|thigh|shin|calf|shank|humerus|radius|femur|tibia")
SMALLEST = 0.25
"""The smallest share that a limb has of the longest one, and a leg of the way from pelvis to head: a child's head is
large, but an eye is no hand."""
ALIKE = 2.0
"""How many times as long as the other a side's limb may be."""
BELOW = 1.15
"""Where the toes are put, as a share of the way from knee to ankle, when nothing says where the feet end."""
SKIPPED = re.compile(r"twist|roll|helper|nub|_ik|ik_|pole|target", re.IGNORECASE)
SIDE = re.compile(r"(?P<left>left|(?<![a-z])l(?![a-z]))|(?P<right>right|(?<![a-z])r(?![a-z]))", re.IGNORECASE)


def common_affixes(names: Sequence[str], share: float = 0.8) -> tuple[str, str]:
    """The longest beginning and end that at least ``share`` of the names have, up to a separator."""

    def longest(words: Sequence[str]) -> str:
        best = ""
        for length in range(1, max(map(len, words))):
            start, count = Counter(word[:length] for word in words if len(word) > length).most_common(1)[0]
            if count < share * len(words):
                break
            best = start
        cut = re.match(r".*[\s_:.\-|]", best)
        return cut.group() if cut else ""

    if len(names) < 5:
        return "", ""
    return longest(names), longest([name[::-1] for name in names])[::-1]


def bare_names(names: Sequence[str]) -> list[str]:
    """The names without what nearly all share: ``mixamorig_LeftArm`` is LeftArm, ``Bip001 L Thigh`` is L Thigh."""
    before, after = common_affixes(names)
    bare = []
    for name in names:
        short = name[len(before) :] if before and name.startswith(before) else name
        short = short[: -len(after)] if after and short.endswith(after) and short != after else short
        bare.append(short.rpartition(":")[2] or name)
    return bare


def side_of(name: str, others: set[str]) -> str | None:
    """ "left", "right" or None. An l or r in front counts where the other side's name is there (lThigh, rThigh)."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).replace("_", " ").replace(".", " ")
    found = SIDE.search(spaced)
    if found:
        return "left" if found["left"] else "right"
    for letter, other, side in (("l", "r", "left"), ("r", "l", "right")):
        if name[:1].lower() == letter and (other + name[1:] in others or other.upper() + name[1:] in others):
            return side
        if name[-1:].lower() == letter and (name[:-1] + other in others or name[:-1] + other.upper() in others):
            return side
    return None


class Body:
    """A skeleton with lengths: names, parents, and the world positions of some frames.

    tips: joint -> (T, 3) of its End Site, a joint called ``<joint>_end`` of its own here.
    """

    def __init__(
        self, names: Sequence[str], parents: Sequence[int], joints: np.ndarray, tips: Mapping[str, np.ndarray]
    ) -> None:
        self.names, self.parents = list(names), list(parents)
        places = [joints[:, j] for j in range(joints.shape[1])]
        for joint, place in tips.items():
            self.parents.append(self.names.index(joint))
            self.names.append(f"{joint}_end")
            places.append(place)
        self.x = np.stack(places, 1)
        self.count = joints.shape[1]
        bare = bare_names(self.names[: self.count])
        others = set(bare)
        own = [side_of(name, others) for name in bare] + [None] * (len(self.names) - self.count)
        self.sides: list[str | None] = []
        for j, side in enumerate(own):  # a joint without a side of its own is on that of its parent
            above = self.parents[j]
            self.sides.append(side or (self.sides[above] if above >= 0 else None))
        self.bare = [name.lower() for name in bare] + ["end"] * (len(self.names) - self.count)

    def length(self, a: int, b: int) -> float:
        """The mean distance of two joints, in metres."""
        return float(np.linalg.norm(self.x[:, a] - self.x[:, b], axis=-1).mean())

    def children(self, j: int) -> list[int]:
        return [k for k, parent in enumerate(self.parents) if parent == j]

    def way_up(self, j: int) -> list[int]:
        """The joint and all above it, up to the root."""
        way = [j]
        while self.parents[way[-1]] >= 0:
            way.append(self.parents[way[-1]])
        return way

    def size(self, j: int) -> float:
        """The length of all bones below a joint."""
        return sum(self.length(j, k) + self.size(k) for k in self.children(j))

    def chain(self, j: int) -> list[int]:
        """The joint and the largest child of each, without rolls and places that are the same."""
        way = [j]
        while below := self.children(way[-1]):
            way.append(max(below, key=lambda k: (self.length(way[-1], k) + self.size(k), -k)))
        kept = [way[0]]
        for k in way[1:]:
            if SKIPPED.search(self.names[k]) or self._divides(kept[-1], k):
                continue
            if self.length(kept[-1], k) < SHORTEST:
                if len(kept) == 1 and k < self.count:
                    kept[-1] = k
                continue
            kept.append(k)
        return kept

    def _divides(self, above: int, k: int) -> bool:
        """Whether a joint divides the bone that begins at the one above: upperarm01, upperarm02."""
        plain = [re.sub(r"[\W_\d]", "", self.bare[j]) for j in (above, k)]
        return plain[0] == plain[1] and SEGMENT.search(plain[0]) is not None

    def long_bones(self, chain: Sequence[int]) -> int:
        """The place in a chain at which two long bones of similar length begin: before the joint that is called knee or
        elbow, else where both are longest and most alike. -1 where there are none."""
        best, found = 0.0, -1
        for start in range(len(chain) - 2):
            first, second = self.length(chain[start], chain[start + 1]), self.length(chain[start + 1], chain[start + 2])
            alike = min(first, second) / max(first, second, 1e-9)
            middle = self.bare[chain[start + 1]]
            if alike >= 0.2 and (KNEE.search(middle) or ELBOW.search(middle)):
                return start
            if alike >= 0.5 and (first + second) * alike > best * 1.02:
                best, found = (first + second) * alike, start
        return found

    def limb(self, j: int) -> float:
        """The length of the two long bones below a joint; 0 where there are none."""
        chain = self.chain(j)
        start = self.long_bones(chain)
        return sum(self.length(a, b) for a, b in itertools.pairwise(chain[start : start + 3])) if start >= 0 else 0.0

    def says(self, j: int, words: re.Pattern[str]) -> bool:
        """Whether the name of a joint, or of one on the way down from it, has one of some words."""
        return any(words.search(self.bare[k]) for k in self.chain(j))


def _limbs(body: Body, where: str) -> tuple[dict[str, int], dict[str, int]]:
    """(legs, arms): side -> the joint at which the limb begins. DataError where there are not two of each."""
    heads: dict[str, list[int]] = {"left": [], "right": []}
    for j in range(body.count):
        side, parent = body.sides[j], body.parents[j]
        begins = side and (parent < 0 or body.sides[parent] is None)
        if side and begins and not NO_LIMB.search(body.bare[j]) and body.limb(j) > 0:
            heads[side].append(j)
    longest = max((body.limb(j) for found in heads.values() for j in found), default=0.0)
    for side, found in heads.items():
        heads[side] = [j for j in found if body.limb(j) >= SMALLEST * longest]
    if min(map(len, heads.values())) < 2:
        raise DataError(
            f"{where}: found {len(heads['left'])} left and {len(heads['right'])} right limbs, not two of each"
        )
    depth = {j: len(body.way_up(j)) for side in heads.values() for j in side}
    legs, arms = {}, {}
    for side, found in heads.items():
        called = [j for j in found if body.says(j, LEG)]
        legs[side] = min(called or found, key=lambda j: (depth[j], -body.limb(j), j))
        others = [j for j in found if j != legs[side]]
        arms[side] = max(others, key=lambda j: (body.says(j, ARM), depth[j] > depth[legs[side]], body.limb(j)))
    named = all(body.says(legs[side], LEG) or body.says(arms[side], ARM) for side in legs)
    if not named and all(depth[arms[side]] == depth[legs[side]] for side in arms):  # all hang on one joint
        low = sum(body.x[:, body.chain(joint)[-1], 1].mean() for joint in legs.values())
        high = sum(body.x[:, body.chain(joint)[-1], 1].mean() for joint in arms.values())
        if low > high:  # the lower pair are the legs
            legs, arms = arms, legs
    return legs, arms


def locate_by_structure(body: Body, where: str) -> dict[str, Place]:
    """Target joint -> place. DataError that says what was looked for and not found."""
    legs, arms = _limbs(body, where)
    places: dict[str, Place] = {}

    def at(name: str, joint: int) -> None:
        places[name] = (body.names[joint], body.names[joint], 0.0)

    def between(name: str, a: int, b: int, share: float) -> None:
        places[name] = (body.names[a], body.names[b], share)

    pelvis, top = (
        next((j for j in body.way_up(pair["left"]) if j in body.way_up(pair["right"])), -1) for pair in (legs, arms)
    )
    if pelvis < 0 or top < 0:
        raise DataError(f"{where}: the legs, or the arms, hang on no joint that both have")
    at("pelvis", pelvis)
    for side in ("left", "right"):
        leg = body.chain(legs[side])
        start = body.long_bones(leg)
        for name, joint in zip(("hip", "knee", "ankle"), leg[start : start + 3], strict=True):
            at(f"{side}_{name}", joint)
        if len(leg) > start + 3:
            at(f"{side}_foot", leg[start + 3])
        else:
            between(f"{side}_foot", leg[start + 1], leg[start + 2], BELOW)
        arm = body.chain(arms[side])
        start = body.long_bones(arm)
        for name, joint in zip(("shoulder", "elbow", "wrist"), arm[start : start + 3], strict=True):
            at(f"{side}_{name}", joint)
        if start > 0:
            at(f"{side}_collar", arm[start - 1])
    neck, head = _neck_and_head(body, top, where)
    if neck is None:
        between("neck", top, head, 0.5)
        neck_path = [top, head]
    else:
        at("neck", neck)
        neck_path = [neck]
    at("head", head)
    for side in ("left", "right"):
        if f"{side}_collar" not in places:
            shoulder = body.names.index(places[f"{side}_shoulder"][0])
            between(f"{side}_collar", neck_path[0], shoulder, COLLAR)
    trunk = [*reversed(body.way_up(neck if neck is not None else top))]
    trunk = trunk[trunk.index(pelvis) :] if pelvis in trunk else [pelvis, *trunk]
    for name, share in SPINE.items():
        between(name, *_along(body, trunk, share))
    _check_proportions(body, legs, arms, (pelvis, head), where)
    return places


def _check_proportions(
    body: Body, legs: Mapping[str, int], arms: Mapping[str, int], trunk: tuple[int, int], where: str
) -> None:
    """DataError for what is no person: see ``SMALLEST`` and ``ALIKE``."""
    leg, arm = ([body.limb(pair[side]) for side in ("left", "right")] for pair in (legs, arms))
    for what, pair in (("legs", leg), ("arms", arm)):
        if max(pair) > ALIKE * min(pair):
            raise DataError(f"{where}: the {what} are {pair[0]:.2f} and {pair[1]:.2f} m long, which no person's are")
    if min(leg) < SMALLEST * (height := body.length(*trunk)):
        raise DataError(f"{where}: legs of {min(leg):.2f} m under a trunk of {height:.2f} m are no person's")


def _neck_and_head(body: Body, top: int, where: str) -> tuple[int | None, int]:
    """(neck or None, head): the way up from where the arms hang, or from below it, that is no limb."""
    trunk = body.way_up(top)
    branches = [
        k for j in trunk for k in body.children(j) if k < body.count and k not in trunk and body.sides[k] is None
    ]
    named = [j for j in branches if re.search(r"neck|head", body.bare[j])]
    middle = named or [j for j in branches if body.parents[j] == top]
    if not middle:
        raise DataError(f"{where}: nothing stands above the arms: no neck and no head")
    way = body.chain(max(middle, key=lambda j: (body.size(j), -j)))
    real = [j for j in way if j < body.count]
    heads = [j for j in real if "head" in body.bare[j]]
    head = heads[0] if heads else real[min(1, len(real) - 1)]
    if head == real[0]:
        return None, head
    # The neck's own joints: the first above the shoulders, or the last before the head where there are two.
    before = real[: real.index(head)]
    return before[-1], head


def _along(body: Body, way: Sequence[int], share: float) -> tuple[int, int, float]:
    """(a, b, part): the place at ``share`` of a way of joints."""
    lengths = [body.length(a, b) for a, b in itertools.pairwise(way)]
    wanted = share * sum(lengths)
    for k, length in enumerate(lengths):
        if wanted <= length or k == len(lengths) - 1:
            return way[k], way[k + 1], min(1.0, wanted / max(length, 1e-9))
        wanted -= length
    return way[0], way[-1], 0.0
