"""Other lengths and tempi of the same motion."""

import torch

from motion_platform.core.schema import Motion
from motion_platform.generators.tokens.varying import change_tempo, crop
from motion_platform.motion.representations import get_representation


def test_a_crop_is_a_part_of_its_clip(make):
    torch.manual_seed(0)
    motion = make.batch((40, 33, 17, 8) * 50).motion
    part = crop(motion, 1.0, 20)
    assert part.lengths[2::4].eq(17).all(), "too short to be cut"
    assert part.lengths[0::4].min() >= 20
    assert part.lengths[0::4].max() <= 40
    assert len(set(part.lengths.tolist())) > 10
    begins = 0
    for row, length in enumerate(part.lengths.tolist()):
        whole, piece = motion.x[row, : motion.lengths[row]], part.x[row, :length]
        found = [s for s in range(len(whole) - length + 1) if torch.equal(whole[s : s + length], piece)]
        assert found, "not a part of the clip"
        begins += found[0] == 0
    assert begins > len(part.lengths) / 2
    same = crop(motion, 0.0, 20)
    assert torch.equal(same.lengths, motion.lengths)
    assert all(torch.equal(same.x[b, :n], motion.x[b, :n]) for b, n in enumerate(motion.lengths.tolist()))


def test_tempo_keeps_the_path_of_a_steady_walk(make):
    torch.manual_seed(1)
    spec = make.spec()
    lengths = torch.tensor([60] * 30)
    x = torch.zeros(30, 60, spec.dim)
    x[..., 2] = 0.05  # metres a frame, forward
    x[..., 3] = 0.9
    faster = change_tempo(Motion(x, lengths, spec), 1.0, 1.2, 196)
    assert len(set(faster.lengths.tolist())) > 10
    assert int(faster.lengths.min()) >= 50
    assert int(faster.lengths.max()) <= 72
    decoded = get_representation(spec.representation)
    for row, length in enumerate(faster.lengths.tolist()):
        path = decoded.decode(faster.x[row : row + 1, :length])[0, :, 0]
        assert abs(float((path[-1] - path[0]).norm()) - 0.05 * 60 * (length - 1) / length) < 0.01
        assert torch.allclose(faster.x[row, :length, 3], torch.tensor(0.9))
    same = change_tempo(Motion(x, lengths, spec), 0.0, 1.2, 196)
    assert torch.allclose(same.x, x)
    assert torch.equal(same.lengths, lengths)
