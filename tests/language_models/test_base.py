"""A base spread over two processes gives the losses and gradients of a whole one."""

import os
from pathlib import Path

import forked
import pytest
import torch

from motion_platform.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import sys, torch
from torch import distributed
from motion_platform.generators.language.motion_lm import MotionLM
spec, batch, settings, out = torch.load(sys.argv[1], weights_only=False)
distributed.init_process_group("gloo")
found = {}
for shard in (False, True):
    torch.manual_seed(0)
    model = MotionLM(spec, (), shard=shard, **settings).train()
    model.tokenizer.encode(batch.motion)
    for _ in range(2):
        torch.manual_seed(1)
        loss = model.loss(batch, {})["loss"]
        model.zero_grad()
        loss.backward()
    own = sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in model.base.body.layers.parameters())
    found[shard] = (loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.requires_grad}, own)
torch.save(found, f"{out}{distributed.get_rank()}.pt")
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_a_sharded_base_computes_what_a_whole_one_does(tiny_bases, make, tmp_path):
    script, given, out = tmp_path / "run.py", tmp_path / "given.pt", tmp_path / "rank"
    script.write_text(SCRIPT)
    tokenizer = {"name": "vqvae", "settings": {"codes": 24, "code_width": 16, "width": 16, "depth": 1}}
    settings = {"base": str(tiny_bases["llama"]), "tokenizer": tokenizer, "rank": 4, "max_frames": 48, "dropout": 0.0}
    torch.save((make.spec(), make.batch(), settings, str(out)), given)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = forked.run([str(script), str(given)], environment, processes=2)
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in (0, 1):
        found = torch.load(tmp_path / f"rank{rank}.pt", weights_only=False)
        (whole, gradients, size), (part, others, held) = found[False], found[True]
        assert torch.allclose(whole, part, atol=1e-6)
        assert gradients.keys() == others.keys()
        assert any(gradient.abs().max() > 1e-4 for gradient in gradients.values())
        assert all(torch.allclose(gradients[name], others[name], atol=1e-6) for name in gradients)
        assert held < 0.7 * size, "each process holds about half of the frozen weights"


def test_one_process_has_nobody_to_share_with(tiny_lm, make):
    with pytest.raises(ConfigError, match="needs several processes: torchrun"):
        tiny_lm(shard=True).loss(make.batch(), {})
    with pytest.raises(ConfigError, match="use tuning: lora"):
        tiny_lm(shard=True, tuning="full")
