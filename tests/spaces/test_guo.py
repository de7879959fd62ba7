"""The official evaluator: the published modules' numbers, and the mistakes that published tables suffered from."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, length_mask
from motion_platform.motion.representations import get_representation
from motion_platform.spaces.guo import PARTS, Guo

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("make_guo_reference", HERE / "make_guo_reference.py")
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.fixture(scope="module")
def reference():
    with np.load(HERE / "guo_reference.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def spec_of(name="humanml3d", mean=None, std=None):
    dim = get_representation(name).dim
    return MotionSpec(
        name, "humanml3d", 20.0, torch.zeros(dim) if mean is None else mean, torch.ones(dim) if std is None else std
    )


def small(spec=None, **settings):
    sizes = {"movement": made.MOVEMENT, "motion_width": made.MOTION_WIDTH, "text_width": made.TEXT_WIDTH}
    space = Guo(spec or spec_of(), ("text",), embedding=made.EMBEDDING, words=made.WORDS, **sizes, **settings)
    for part in PARTS:
        made.fill(part, getattr(space, part))
    return space.eval()


def captions(words, tags, counts):
    """What the conditioning hands over: a null token before, and padding after, that must not matter."""
    encoded = torch.cat([words, tags], -1)
    mask = torch.cat([torch.ones(len(counts), 1, dtype=torch.bool), length_mask(counts, encoded.shape[1])], 1)
    return {"text": Condition(torch.zeros(*mask.shape, 1), mask, None, encoded)}


@torch.no_grad()
def test_the_published_modules_numbers(reference):
    mean, std = made.values("mean", (made.DIM,), 2.0), made.values("std", (made.DIM,), 0.5) + 1.0
    space, given = small(spec_of(mean=mean, std=std)), made.inputs()
    motion = Motion(space.spec.restore(given["motion"]), torch.tensor(made.LENGTHS), space.spec)
    assert (space.embed(motion) - reference["motion"]).abs().max() <= 1e-5
    text = space.embed_condition(captions(given["words"], given["tags"], torch.tensor(made.WORD_COUNTS)))
    assert (text - reference["text"]).abs().max() <= 1e-5


@torch.no_grad()
def test_lengths_are_divided_by_four_once(reference):
    """MotionGPT's metrics divide twice (FIELD 0.5): the evaluator then reads the first quarter of a clip."""
    space, x = small(), made.inputs()["motion"]
    whole = space.embed(Motion(x, torch.tensor(made.LENGTHS), space.spec))
    later = x.clone()
    later[2, 60:64] += 1.0  # the last movement of a clip of 64 frames
    assert (space.embed(Motion(later, torch.tensor(made.LENGTHS), space.spec)) - whole)[2].abs().max() > 1e-4
    seen = []
    hook = space.motion_encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1].tolist()))
    space.embed(Motion(x, torch.tensor([196, 195, 64, 43]), space.spec))
    hook.remove()
    assert seen == [[49, 48, 16, 10]]


@torch.no_grad()
def test_frames_after_the_last_whole_movement_are_not_seen():
    space, x = small(), made.inputs()["motion"][2:3]
    of_64 = space.embed(Motion(x[:, :64], torch.tensor([64]), space.spec))
    of_66 = space.embed(
        Motion(torch.cat([x[:, :64], torch.full((1, 2, made.DIM), 9.0)], 1), torch.tensor([66]), space.spec)
    )
    torch.testing.assert_close(of_66, of_64)


@torch.no_grad()
def test_a_motion_does_not_depend_on_the_batch_or_its_padding(reference):
    space, x = small(), made.inputs()["motion"]
    for row, length in enumerate(made.LENGTHS):
        alone = space.embed(Motion(x[row : row + 1, :length], torch.tensor([length]), space.spec))
        torch.testing.assert_close(alone, reference["motion"][row : row + 1], rtol=1e-5, atol=1e-6)
    rubbish = x.clone()
    for row, length in enumerate(made.LENGTHS):
        rubbish[row, length:] = float("nan")
    torch.testing.assert_close(
        space.embed(Motion(rubbish, torch.tensor(made.LENGTHS), space.spec)), reference["motion"], rtol=1e-5, atol=1e-6
    )


@torch.no_grad()
def test_a_caption_ends_with_eos_and_never_counts_padding(reference):
    """The old MDM table counted padding words (FIELD 0.7): whatever stands there must not matter."""
    space, given, counts = small(), made.inputs(), torch.tensor(made.WORD_COUNTS)
    words, tags = given["words"].clone(), given["tags"].clone()
    for row, count in enumerate(made.WORD_COUNTS):
        words[row, count:], tags[row, count:] = 7.0, 0.0
    text = space.embed_condition(captions(words, tags, counts))
    torch.testing.assert_close(text, reference["text"], rtol=1e-5, atol=1e-6)
    alone = space.embed_condition(captions(given["words"][3:, :3], given["tags"][3:, :3], counts[3:]))
    torch.testing.assert_close(alone, reference["text"][3:], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_contacts_are_not_seen():
    space, x = small(), made.inputs()["motion"]
    other = x.clone()
    other[..., -4:] += 3.0
    lengths = torch.tensor(made.LENGTHS)
    assert torch.equal(space.embed(Motion(x, lengths, space.spec)), space.embed(Motion(other, lengths, space.spec)))


@torch.no_grad()
def test_it_uses_its_own_statistics_not_those_of_the_motion():
    space, x = small(spec_of(mean=torch.full((263,), 0.5))), made.inputs()["motion"]
    theirs = spec_of(mean=torch.full((263,), 9.0), std=torch.full((263,), 3.0))
    lengths = torch.tensor(made.LENGTHS)
    assert torch.equal(space.embed(Motion(x, lengths, theirs)), space.embed(Motion(x, lengths, space.spec)))


@torch.no_grad()
def test_another_representation_of_the_skeleton_is_converted_through_its_joints():
    rng = np.random.default_rng(0)
    from motion_platform.motion.skeleton import get_skeleton

    offsets = np.asarray(get_skeleton("humanml3d").offsets, np.float64)
    parents = get_skeleton("humanml3d").parents
    pose = np.zeros((22, 3))
    for joint, parent in enumerate(parents):
        pose[joint] = offsets[joint] + (pose[parent] if parent >= 0 else (0, 0.95, 0))
    joints = pose + np.cumsum(rng.normal(0, 0.004, (42, 22, 3)), 0)
    full, short = (
        torch.from_numpy(get_representation(n).encode(joints))[None] for n in ("humanml3d", "humanml3d_essential")
    )
    space = small()
    a = space.embed(Motion(full[:, :40], torch.tensor([40]), spec_of()))
    b = space.embed(Motion(short[:, :40], torch.tensor([40]), spec_of("humanml3d_essential")))
    assert (a - b).abs().max() < 0.02 * a.abs().max()


def test_bad_motions_and_captions_are_said_in_one_line():
    space, x = small(), made.inputs()["motion"]
    with pytest.raises(DataError, match="3 frames; the evaluator reads 4 to 196"):
        space.embed(Motion(x, torch.tensor([196, 3, 64, 40]), space.spec))
    with pytest.raises(DataError, match="200 frames"):
        space.embed(Motion(torch.zeros(1, 200, 263), torch.tensor([200]), space.spec))
    kit = MotionSpec("kit_ml", "kit", 12.5, torch.zeros(251), torch.ones(251))
    with pytest.raises(DataError, match=r"skeleton kit at 12.5 fps.*trained on humanml3d"):
        space.embed(Motion(torch.zeros(1, 40, 251), torch.tensor([40]), kit))
    with pytest.raises(DataError, match="must be glove_tags"):
        space.embed_condition({"text": Condition(torch.zeros(1, 2, 1), torch.ones(1, 2, dtype=torch.bool))})
    given = captions(torch.zeros(2, 3, made.WORDS), torch.zeros(2, 3, 15), torch.tensor([3, 0]))
    with pytest.raises(DataError, match="caption 1 of the batch is empty"):
        space.embed_condition(given)


def test_the_published_file_is_read(tmp_path):
    source, space = small(), small()
    with torch.no_grad():
        for weight in space.parameters():
            weight.zero_()
    saved = {part: getattr(source, part).state_dict() for part in PARTS}
    torch.save({**saved, "epoch": 100, "iter": 12345}, tmp_path / "finest.tar")
    space.load_published(tmp_path / "finest.tar")
    for name, weight in space.state_dict().items():
        assert torch.equal(weight, source.state_dict()[name])
    torch.save({"movement_encoder": saved["movement_encoder"]}, tmp_path / "part.tar")
    with pytest.raises(WeightsError, match="has no 'text_encoder'"):
        space.load_published(tmp_path / "part.tar")
    (tmp_path / "torn.tar").write_bytes((tmp_path / "finest.tar").read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        space.load_published(tmp_path / "torn.tar")
    with pytest.raises(WeightsError, match="movement_encoder does not fit humanml3d_essential"):
        small(spec_of("humanml3d_essential")).load_published(tmp_path / "finest.tar")


class Evil:
    def __reduce__(self):
        return (print, ("it ran",))


def test_a_weight_file_cannot_run_code(tmp_path, capsys):
    torch.save({"movement_encoder": Evil()}, tmp_path / "finest.tar")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        small().load_published(tmp_path / "finest.tar")
    assert "it ran" not in capsys.readouterr().out


def test_the_loss_is_the_contrast_of_distances():
    """Hadsell et al. 2006, equation 4, with the one other caption that two clips leave for a mismatch."""
    space, given = small(margin=10.0), made.inputs()
    motion = Motion(given["motion"][:2], torch.tensor(made.LENGTHS[:2]), space.spec)
    text = captions(given["words"][:2], given["tags"][:2], torch.tensor(made.WORD_COUNTS[:2]))
    losses = space.loss(Batch(["a", "b"], {}, motion.lengths, motion), text)
    with torch.no_grad():
        m, t = space.embed(motion).double(), space.embed_condition(text).double()
    matched = ((m - t) ** 2).sum(1).mean()
    mismatched = ((10.0 - ((m - t.flip(0)) ** 2).sum(1).sqrt()).clamp(min=0) ** 2).mean()
    torch.testing.assert_close(losses["loss"].double(), matched + mismatched, rtol=1e-4, atol=1e-4)
    losses["loss"].backward()
    assert all(weight.grad is not None for weight in space.parameters())
