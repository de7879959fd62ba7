"""BEAT and BEAT2 as their authors publish them: 30 speakers, eight emotions, sound, and words with their times.

Liu et al., "BEAT: A Large-Scale Semantic and Emotional Multi-Modal Dataset for Conversational Gestures Synthesis", 2022
(arXiv:2203.05297), BVH at 120 fps; Liu et al., "EMAGE", 2024 (arXiv:2401.00374), whose BEAT2 holds the poses of
SMPL-X at 30 fps. Both: https://pantomatrix.github.io/BEAT/, non-commercial. Names: SPEAKER_name_PART_FIRST_LAST; even
parts are speeches, whose numbers say the emotion (the data set's own documentation); odd ones are conversations, called
neutral.
"""

from __future__ import annotations

import csv
import re
from abc import abstractmethod
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import Item, Words
from motion_platform.data.speech import SpeechSource, finite
from motion_platform.data.splits import stratified
from motion_platform.motion import bodies
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.arrays import load_arrays, real
from motion_platform.motion.io.euler import axis_angle_to_quaternion, forward_kinematics
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton

NAME = re.compile(r"(?P<speaker>\d+)_(?P<name>[a-z]+)_(?P<part>\d)_(?P<first>\d+)_(?P<last>\d+)$")
EMOTIONS = {
    "neutral": (0, 64), "happiness": (65, 72), "anger": (73, 80), "sadness": (81, 86), "contempt": (87, 94),
    "surprise": (95, 102), "fear": (103, 110), "disgust": (111, 118),
}  # fmt: skip
"""Emotion -> first and last number of a speech."""
SMPLX_JOINTS = 55
BODY, HANDS = slice(0, 22), slice(25, 55)
"""Of the 55 joints of SMPL-X; between them jaw and eyes."""
PELVIS = (0.003, -0.351, 0.012)
"""Where the pelvis of SMPL-X's mean neutral body lies, in metres, when ``trans`` is 0."""


class _Named(SpeechSource):
    """What both share: names, emotions, speakers."""

    def __init__(self, speakers: list[int] | None = None) -> None:
        self.speakers = None if speakers is None else set(speakers)

    @abstractmethod
    def motions(self, source: Path) -> list[Path]:
        """The motion files of a folder."""

    def splits(self, source: Path) -> dict[str, str]:
        """Name -> split, where the data set says so."""
        return {}

    def items(self, source: Path, report: Report) -> list[Item]:
        motions = self.motions(source)
        self.check_recordings(source, motions)
        known, kinds, labels = self.splits(source), {}, {}
        for path in motions:
            found = NAME.match(path.stem)
            if not found:
                report.drop(path.name, "the name is not SPEAKER_name_PART_FIRST_LAST")
            elif self.speakers is not None and int(found["speaker"]) not in self.speakers:
                report.drop(path.name, f"speaker {found['speaker']} is not asked for")
            else:
                emotion = emotion_of(int(found["part"]), int(found["first"]))
                labels[path] = {"emotion": emotion, "speaker": f"{found['speaker']}_{found['name']}"}
                kinds[path.stem] = f"{found['speaker']} {emotion}"
        splits = stratified(kinds, seed=self.name) | {k: v for k, v in known.items() if k in kinds}
        return [
            Item(path.stem, str(path), splits[path.stem], f"{self.name}: {path.stem}", Words(labels=labels[path]))
            for path in labels
        ]


class Beat(_Named):
    """BEAT: ``SPEAKER/SPEAKER_name_PART_FIRST_LAST.bvh`` with .wav and .TextGrid of the same name beside it.

    speakers: their numbers (default: all; DiffuseStyleGesture+ takes 2 and 10). Labels: ``emotion``, ``speaker``. The
    takes of each speaker and emotion are divided 80/5/15.
    """

    name = "beat"
    licence = "BEAT (Liu et al. 2022): non-commercial research only"
    representation = "beat"

    def motions(self, source: Path) -> list[Path]:
        found = sorted(source.rglob("*.bvh"))
        if not found:
            raise DataError(f"{self.name}: no .bvh below {source}; give the folder that holds the speakers' folders")
        return found

    def recording(self, motion: Path) -> Path:
        return motion.with_suffix(".wav")

    def transcript(self, motion: Path) -> Path | None:
        place = motion.with_suffix(".TextGrid")
        return place if place.is_file() else None


class Beat2(_Named):
    """BEAT2: ``smplxflame_30/NAME.npz``, ``wave16k/NAME.wav``, ``textgrid/NAME.TextGrid``, ``train_test_split.csv``.

    The rotations of the 22 body and 30 finger joints are the data set's; the body that they turn is that of the
    skeleton ``humanml3d_hands``, for SMPL-X's own may not be passed on: feet may therefore float or sink by a few
    centimetres. Jaw, eyes and expressions are left out. The official split is kept where the csv is there.
    """

    name = "beat2"
    licence = "BEAT2 (Liu et al. 2024): non-commercial research only"
    representation = "gesture"

    def motions(self, source: Path) -> list[Path]:
        found = sorted((source / "smplxflame_30").glob("*.npz"))
        if not found:
            raise DataError(f"{self.name}: no smplxflame_30/*.npz in {source}; give the folder of one language")
        return found

    def recording(self, motion: Path) -> Path:
        return motion.parent.parent / "wave16k" / f"{motion.stem}.wav"

    def transcript(self, motion: Path) -> Path | None:
        place = motion.parent.parent / "textgrid" / f"{motion.stem}.TextGrid"
        return place if place.is_file() else None

    def splits(self, source: Path) -> dict[str, str]:
        place = source / "train_test_split.csv"
        if not place.is_file():
            return {}
        with place.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        if rows and not {"id", "type"} <= set(rows[0]):
            raise DataError(f"{place}: needs the columns id and type, got {', '.join(map(str, rows[0]))}")
        return {row["id"]: row["type"] for row in rows if row["type"] in ("train", "val", "test")}

    def read(self, path: Path) -> Clip:
        chosen = get_representation(self.representation)
        return bodies.on_skeleton(read_smplx(path), chosen.skeleton, chosen.fps)


def emotion_of(part: int, number: int) -> str:
    """The emotion of a take by its part and first number: conversations (odd parts) are neutral."""
    if part % 2:
        return "neutral"
    return next((name for name, (low, high) in EMOTIONS.items() if low <= number <= high), "neutral")


def read_smplx(path: str | Path) -> Clip:
    """A BEAT2 .npz: ``poses`` (T, 165) axis-angle, ``trans`` (T, 3), Y up -> a clip on ``humanml3d_hands``.

    DataError for another shape, a NaN, or a file that is no .npz.
    """
    path = Path(path)
    try:
        file = load_arrays(path, {"poses", "trans", "mocap_frame_rate"})
        poses, trans = (real(file[name], f"{path}: {name}") for name in ("poses", "trans"))
        fps = float(file["mocap_frame_rate"]) if "mocap_frame_rate" in file else 30.0
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is no BEAT2 file (.npz with poses and trans): {error}") from error
    if poses.ndim != 2 or poses.shape[1] != 3 * SMPLX_JOINTS or trans.shape != (len(poses), 3):
        raise DataError(
            f"{path}: poses {poses.shape}, trans {trans.shape}; (T, {3 * SMPLX_JOINTS}) and (T, 3) are needed"
        )
    turns = finite(poses, str(path)).reshape(len(poses), SMPLX_JOINTS, 3)
    local = axis_angle_to_quaternion(np.concatenate([turns[:, BODY], turns[:, HANDS]], axis=1))
    skeleton = get_skeleton("humanml3d_hands")
    assert skeleton.offsets is not None
    places = np.repeat(skeleton.offsets[None], len(poses), 0)
    places[:, 0] = finite(trans, str(path)) + PELVIS
    joints = forward_kinematics(local, places, skeleton.parents)
    return Clip(joints.astype(np.float32), fps, skeleton, local.astype(np.float32), path.stem)
