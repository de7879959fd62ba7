"""Writer of .fbx and USD through Blender, where it is installed: the .glb of the same motions, imported and exported.

Blender is the program that ``MOTION_BLENDER`` names (Blender itself, or a Python that has ``bpy``), ``blender`` on the
path, or ``bpy`` in this Python. It runs as a process of its own, without a window and without anybody's settings.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.core.files import atomic_path
from motion_platform.motion.clip import Clip

FORMATS = (".fbx", ".usd", ".usda", ".usdc")
SECONDS = 900
"""A conversion that takes longer is stopped."""
SCRIPT = """
import sys, bpy
source, target = sys.argv[-2:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source)
shapes = bpy.data.collections.get("glTF_not_exported")  # how its importer draws bones; no part of the motion
for shape in list(shapes.objects) if shapes else []:
    bpy.data.objects.remove(shape, do_unlink=True)
if target.endswith(".fbx"):
    bpy.ops.export_scene.fbx(filepath=target, add_leaf_bones=False, bake_anim=True, bake_anim_use_all_actions=True,
                             path_mode="COPY", embed_textures=True)
else:
    bpy.ops.wm.usd_export(filepath=target, export_animation=True)
"""


def find_blender(path: str | Path) -> list[str]:
    """The command that runs a Blender script, up to the script's own file. UsageError, with the ways out, without
    one."""
    named = os.environ.get("MOTION_BLENDER")
    program = named or shutil.which("blender")
    if program is None and importlib.util.find_spec("bpy") is not None:
        program = sys.executable
    if program is None:
        raise UsageError(
            f"{path}: {Path(path).suffix} is written through Blender, which is not here: put blender on the path, "
            "pip install bpy, or let MOTION_BLENDER name one; or write .glb, which Unreal, Unity and web viewers read"
        )
    if shutil.which(program) is None:
        raise UsageError(f"{path}: MOTION_BLENDER names {program}, which is no program")
    if "python" in Path(program).name:
        return [program]
    return [program, "--background", "--factory-startup", "--python-exit-code", "1", "--python"]


def write(clips: Clip | Sequence[Clip], path: str | Path, *, one_body: bool = False) -> Path:
    """Write .fbx, .usd, .usda or .usdc: what :mod:`~motion_platform.motion.io.glb` writes, as Blender exports it.

    USD holds the first animation of a body. Errors: UsageError without Blender; OutputError with Blender's last line
    where it fails; those of the .glb.
    """
    from motion_platform.motion.io import glb

    command = find_blender(path)
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        source, script = Path(folder) / "motion.glb", Path(folder) / "convert.py"
        glb.write(clips, source, one_body=one_body)
        script.write_text(SCRIPT, encoding="utf-8")
        end = ["--"] if command[-1] == "--python" else []
        try:
            done = subprocess.run(
                [*command, str(script), *end, str(source), str(temporary.absolute())],
                capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise OutputError(f"{path}: Blender did not end within {SECONDS} seconds") from error
        if done.returncode or not temporary.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise OutputError(f"{path}: Blender could not write it; it says: {said[:200]}")
    return Path(path)
