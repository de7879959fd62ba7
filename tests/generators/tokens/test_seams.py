"""Given frames put back exactly, with what is left spread over the frames beside them."""

import torch

from motion_platform.core.schema import Edit
from motion_platform.generators.tokens.seams import paste
from motion_platform.motion.representations import get_representation


def test_kept_frames_are_exact_and_the_seam_has_no_jump(make):
    spec = make.spec()
    lengths = torch.tensor([60, 40])
    made = torch.zeros(2, 60, spec.dim)
    given = torch.full((2, 60, spec.dim), 0.3)
    keep = torch.zeros(2, 60, dtype=torch.bool)
    keep[:, :20] = True
    keep[0, 50:] = True
    edit = Edit(given, keep[..., None].expand_as(given))
    out = paste(made, lengths, edit, 7, spec.representation)
    assert torch.equal(out[0][keep[0]], given[0][keep[0]])
    assert torch.equal(out[1, :20], given[1, :20])
    positions = torch.ones(spec.dim, dtype=torch.bool)
    positions[get_representation(spec.representation).speeds] = False
    steps = out[0, :60].diff(dim=0)[:, positions].abs()
    assert float(steps.max()) < 0.3 / 4, "spread over a third of a second"
    assert float(out[0, 30:40][:, positions].abs().max()) == 0, "far from the seams as made"
    assert torch.equal(out[0, 20:50][:, ~positions], made[0, 20:50][:, ~positions]), "speeds as made"


def test_nothing_kept_is_nothing_changed(make):
    made = torch.randn(1, 30, make.spec().dim, generator=torch.Generator().manual_seed(0))
    edit = Edit(torch.zeros_like(made), torch.zeros_like(made, dtype=torch.bool))
    assert torch.equal(paste(made, torch.tensor([30]), edit, 7, "humanml3d_essential"), made)
