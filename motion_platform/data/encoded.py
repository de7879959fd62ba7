"""A prepared data set in another representation: decoded and encoded anew, once, and kept.

A data set is prepared in the representation of its source. A recipe may ask for any other of the same skeleton and
frame rate, a plug-in's too: what is stored is decoded to joint positions, and rotations where it holds them, and
encoded as the recipe says. Motion on the 22 joints of HumanML3D may also be asked for on the 21 of KIT-ML at its frame
rate: it is retargeted in between, so that what learns KIT's motion runs without KIT's data.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import torch

from motion_platform.core import registry
from motion_platform.core.errors import OutputError, UsageError
from motion_platform.core.files import cache_folder
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import ShardedDataset
from motion_platform.data.writer import PreparedWriter
from motion_platform.motion import retarget
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.euler import quaternion_multiply
from motion_platform.motion.representations import Representation, get_representation


def encoded_as(dataset: PreparedDataset, representation: str) -> PreparedDataset:
    """The data set in a representation: itself where that is stored (or the first columns of what is), else a copy in
    ``$MOTION_CACHE/representations``, made the first time; another one when the set is prepared anew or the
    representation's code changes.

    Errors: UsageError for a representation of another skeleton or frame rate (but see the top of this file), of joint
    rotations where none are stored, or of a sharded set; OutputError when the cache cannot be written.
    """
    stored, wanted = get_representation(dataset.representation), get_representation(representation)
    if dataset.holds(representation):
        return dataset
    if isinstance(dataset, ShardedDataset):
        raise UsageError(
            f"{dataset.place}: its shards hold {stored.name}, not {wanted.name}; make them of that: "
            f"motion data shard SET --representation {wanted.name} --out FOLDER"
        )
    _check(dataset, stored, wanted)
    cache = cache_folder("representations")
    out = cache / f"{dataset.name}-{wanted.name}-{_key(dataset, wanted)}"
    if not (out / "meta.json").is_file():
        try:
            _write(dataset, stored, wanted, out)
        except OutputError:
            if not (out / "meta.json").is_file():  # another process may have made it meanwhile
                raise
    return PreparedDataset.open(out)


def retargets(stored: str, wanted: str) -> bool:
    """Whether motion in one representation is put on another skeleton, at its frame rate, to become the other."""
    if not {stored, wanted} <= registry.table("representations").keys():
        return False
    before, after = get_representation(stored), get_representation(wanted)
    return (before.skeleton.name, after.skeleton.name) == ("humanml3d", "kit") and not after.needs_rotations


def rows_of(chosen: Representation, joints: np.ndarray, rotations: np.ndarray | None = None) -> np.ndarray:
    """(T, J, 3) joints, (T, J, 4) rotations -> (T, D); where a row needs the next pose, the last goes on as before."""
    before = joints[-2:] if len(joints) > 1 else joints[-1:].repeat(2, 0)
    joints = np.concatenate([joints, [2 * before[1].astype(np.float64) - before[0]]])
    if rotations is not None:
        last, one = rotations[-1].astype(np.float64), rotations[max(len(rotations) - 2, 0)]
        step = quaternion_multiply(last, one * [-1, -1, -1, 1])
        rotations = np.concatenate([rotations, [quaternion_multiply(step, last)]])
    return chosen.encode(joints, rotations)[: len(joints) - 1]


def _check(dataset: PreparedDataset, stored: Representation, wanted: Representation) -> None:
    have = f"{dataset.folder}: holds {stored.name} (skeleton {stored.skeleton.name}, {dataset.fps:g} fps)"
    if retargets(stored.name, wanted.name):
        return
    if wanted.skeleton.name != stored.skeleton.name or wanted.fps != dataset.fps:
        raise UsageError(
            f"{have}; {wanted.name} is of skeleton {wanted.skeleton.name} at {wanted.fps:g} fps, so name data of those"
        )
    if wanted.needs_rotations and stored.rotations(torch.zeros(1, stored.dim)) is None:
        raise UsageError(
            f"{have}, positions without joint rotations, which {wanted.name} needs; name data that has them"
        )


def _key(dataset: PreparedDataset, wanted: Representation) -> str:
    """Changes with the preparation and with the files that the representation and the retargeting are written in."""
    source = Path(str(sys.modules[type(wanted).__module__].__file__)).read_bytes()
    if retargets(dataset.representation, wanted.name):
        source += Path(retarget.__file__).read_bytes()
    return hashlib.sha256(f"{dataset.preparation} {dataset.fingerprint}".encode() + source).hexdigest()[:12]


def _write(dataset: PreparedDataset, stored: Representation, wanted: Representation, out: Path) -> None:
    from rich.console import Console
    from rich.progress import track

    moved = retargets(stored.name, wanted.name)
    about = {
        "name": dataset.name,
        "representation": wanted.name,
        "licence": dataset.meta.get("licence", ""),
        "fps": wanted.fps if moved else dataset.fps,
        "streams": dataset.streams,
        "events": dataset.has_events,
        "words": dataset.has_words,
        "tokens": dataset.has_tokens,
    }
    doing = f"retargeting to {wanted.skeleton.name}, encoding" if moved else "encoding"
    shown = track(range(len(dataset)), f"{doing} as {wanted.name}", console=Console(stderr=True), transient=True)
    with PreparedWriter(out, **about) as writer:
        for i in shown:
            x = torch.tensor(dataset.features(i))
            turned = stored.rotations(x)
            rotations = None if turned is None else turned.double().numpy()
            joints = stored.decode(x).double().numpy()
            if moved:
                clip = Clip(joints, dataset.fps, stored.skeleton, name=dataset.id(i))
                joints, rotations = retarget.to_kit(clip, fps=wanted.fps).joints.astype(np.float64), None
            features = rows_of(wanted, joints, rotations)
            writer.add(**{**dataset.row(i), "features": features})
        writer.finish({**dataset.meta.get("report", {}), "encoded_from": stored.name})
