"""Speed at equal quality: our network as MDM's code calls its own says what it says to ours."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from benchmarks.equal_quality import ForTheirs, by_published_loop
from motion_platform.core.schema import length_mask
from motion_platform.generators.diffusion.mdm import MDM
from motion_platform.model.motion_model import MotionModel


def test_the_network_behind_their_interface_is_ours() -> None:
    model = MotionModel.from_pretrained("text_to_motion_small")
    network, lengths = cast(MDM, model.trainable), torch.tensor([40, 23])
    with torch.no_grad():
        given = model.conditioning({"text_high": ["a person waves", "somebody runs"], "text_low": [None, "run"]})
        theirs, mask = ForTheirs(network, given, lengths), length_mask(lengths, 40)
        torch.manual_seed(3)
        x, t = torch.randn(2, 67, 1, 40), torch.tensor([900, 12])
        for asked, told in (({}, given), ({"uncond": True}, {slot: c.drop() for slot, c in given.items()})):
            made = theirs(x, t, asked)
            assert made.shape == x.shape
            ours = network(x[:, :, 0].transpose(1, 2), t, told, mask)
            torch.testing.assert_close(made[:, :, 0].transpose(1, 2)[mask], ours[mask], atol=1e-4, rtol=1e-4)
        assert not torch.allclose(theirs(x, t, {}), theirs(x, t, {"uncond": True}), atol=1e-2)


def test_a_network_that_their_loop_does_not_sample_is_refused(tmp_path) -> None:
    model = MotionModel.from_pretrained("text_to_motion_small")
    cast(MDM, model.trainable).prediction = "v"
    with pytest.raises(SystemExit, match="MDM's code samples x0 on a cosine with one scale of guidance; got v, cosine"):
        by_published_loop(model, tmp_path, 50)
