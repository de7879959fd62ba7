"""What all generators of conducting share: which keypoint is what, gestures' size, and what is too fast for a body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HEAD, BODY, ARMS = (0, 1, 2, 3, 4), (5, 6, 11, 12), (7, 8, 9, 10)
"""COCO keypoints: nose, eyes and ears; shoulders and hips; elbows and wrists."""
POSTURE_SECONDS = 2.0
"""About a bar: slower movement of an arm is its posture, faster movement its gesture."""


def columns_of(joints: Sequence[int]) -> list[int]:
    """Columns (x, y of each keypoint) of the ``conductor`` representation."""
    return [2 * j + k for j in joints for k in (0, 1)]


def resize_gestures(x: Tensor, lengths: Tensor, fps: float, amplitude: float) -> Tensor:
    """x (B, T, 26) with the movement of elbows and wrists about their posture made ``amplitude`` times as large.

    The posture is the mean over POSTURE_SECONDS around a frame, so that large gestures stay where the arms are and a
    resting arm rests.
    """
    if amplitude == 1.0:
        return x
    arms, out = columns_of(ARMS), x.clone()
    reach = max(1, round(POSTURE_SECONDS * fps / 2))
    for row, length in enumerate(lengths.tolist()):
        own = x[row, :length, arms].T[None]  # (1, 8, length)
        ends = F.pad(own, (min(reach, length - 1),) * 2, mode="reflect") if length > 1 else own
        width = min(2 * reach + 1, ends.shape[-1] - length + 1)
        posture = F.avg_pool1d(ends, width, stride=1)
        out[row, :length, arms] = (posture + amplitude * (own - posture))[0].T
    return out


def steadied(x: Tensor, lengths: Tensor, fps: float, arms: float, body: float) -> Tensor:
    """x (B, T, 26) without what is faster than a body moves: elbows and wrists up to ``arms`` Hz, the rest to ``body``.

    A Butterworth filter of second order, forwards and backwards, so that nothing comes late: what biomechanics does to
    keypoints (Winter, Biomechanics and Motor Control of Human Movement, 3.4.4). 0: these keypoints stay as they are.
    """
    from scipy.signal import butter, sosfiltfilt

    quick, out = columns_of(ARMS), x.clone()
    slow = [column for column in range(x.shape[-1]) if column not in quick]
    for columns, hertz in ((quick, arms), (slow, body)):
        if not 0 < hertz < fps / 2:
            continue
        sections = butter(2, hertz, fs=fps, output="sos")
        for row, length in enumerate(lengths.tolist()):
            if length > 1:
                own = x[row, :length, columns].double().cpu().numpy()
                smooth = sosfiltfilt(sections, own, axis=0, padlen=min(length - 1, round(fps / 2)))
                out[row, :length, columns] = torch.from_numpy(np.ascontiguousarray(smooth)).to(out)
    return out
