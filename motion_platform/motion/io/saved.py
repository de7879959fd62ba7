"""What PyTorch and pickle save: a .pt is read where it holds tensors and nothing else; a .pkl is not read at all."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from motion_platform.core.errors import DataError
from motion_platform.core.opening import check_head
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import smpl

IN_THE_WORLD = "smpl_params_global"
"""GVHMR's results hold the motion twice: in the world, and as the camera saw it."""


def read_tensors(
    path: str | Path, *, fps: float | None = None, up: str | None = None, body: str | Path | None = None
) -> Clip:
    """Read SMPL's parameters from a .pt, as GVHMR writes them (``hmr4d_results.pt``). Options as for smpl.to_clip.

    Errors: DataError for a file that needs more than tensors, or with none of the layouts of smpl.py.
    """
    import torch

    path = Path(path)
    check_head(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                packed = [m.filename for m in archive.infolist() if m.compress_type != zipfile.ZIP_STORED]
            if packed:  # so that nothing unfolds to more than the file holds
                raise DataError(f"{path}: {packed[0]} is compressed, which PyTorch never does")
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except Exception as error:  # torch, zipfile and pickle raise a dozen different ones for broken bytes
        raise DataError(
            f"{path}: holds more than tensors, or is damaged; unpickling could run code, so it is not read. If you "
            f"trust it, in Python: d = torch.load({path.name!r}, weights_only=False); numpy.savez('motion.npz', "
            "**{k: v.numpy() for k, v in d['smpl_params_global'].items()})"
        ) from error
    found = saved.get(IN_THE_WORLD, saved) if isinstance(saved, Mapping) else None
    found = found if isinstance(found, Mapping) else {}
    fields = {
        str(name): value.detach().numpy()
        for name, value in found.items()
        if isinstance(value, torch.Tensor) and value.layout == torch.strided
    }
    layout = smpl.layout_of(set(fields))
    if layout is None:
        raise DataError(
            f"{path}: has none of {smpl.known_layouts()}; it holds {', '.join(map(str, list(found)[:8])) or 'nothing'}"
        )
    return smpl.to_clip(path, layout, fields, fps=fps, up=up, body=body)


def read_pickle(path: str | Path) -> Clip:
    """Say what a .pkl is and how to make it readable: always a DataError."""
    raise DataError(
        f"{path}: is a pickled Python object, as WHAM writes wham_output.pkl; unpickling could run code, so it is "
        f"not read. If you trust it, in Python: d = joblib.load({Path(path).name!r}); numpy.savez('motion.npz', "
        "fps=30, **{k: d[0][k] for k in ('pose_world', 'trans_world')}), with the person's number for 0 and the film's "
        "rate for 30"
    )
