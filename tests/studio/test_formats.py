from __future__ import annotations

import pytest

from motion_platform.motion import io
from motion_platform.motion.io.layouts import layouts_of
from motion_platform.studio import formats


def test_every_format_has_a_writer_its_layout_and_a_name_that_ends_as_its_files() -> None:
    for name, form in formats.FORMATS.items():
        assert form.ending in io.WRITERS
        assert f".{name}".endswith(form.ending)
        assert form.layout is None or form.layout in layouts_of(f"walk{form.ending}")
    labels = [form.label for form in formats.FORMATS.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("here", [True, False])
def test_what_blender_writes_is_offered_where_it_is(here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "blender_is_here", lambda: here)
    offered = {form["name"]: form for form in formats.offered()}
    assert ("fbx" in offered, "usdc" in offered, "glb" in offered) == (here, here, True)
    assert offered["bvh"]["beside"]
    assert not offered["amass.npz"]["character"]
