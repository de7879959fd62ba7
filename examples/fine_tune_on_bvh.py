"""The shipped model goes on learning from a folder of BVH files.

python examples/fine_tune_on_bvh.py BVH_FOLDER OUT_FOLDER

The folder holds motion files and ``captions.csv`` (file, caption; docs/bring-your-own-motion.md). Here a folder of four
packaged clips is made first, and two steps are taken; a real fine-tuning takes a thousand or more.
"""

import csv
import shutil
import sys
from pathlib import Path

import motion_platform as mp
from motion_platform.core.errors import UsageError
from motion_platform.data.sources.bvh_folder import BVHFolder
from motion_platform.data.sources.sample import sample_root
from motion_platform.training import build, train


def make_folder(folder: Path) -> None:
    """Four packaged clips with a caption each."""
    folder.mkdir(parents=True)
    clips = sorted((sample_root() / "bandai-namco").glob("*walk*.bvh"))[:4]
    with (folder / "captions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "caption", "low", "split"])
        for clip in clips:
            shutil.copy(clip, folder)
            rows.writerow([clip.name, "a person walks as they do at our studio", "walk", "train"])


if __name__ == "__main__":
    if len(sys.argv) > 3:
        raise UsageError("give BVH_FOLDER and OUT_FOLDER")
    folder, out = (Path(word) for word in (sys.argv[1:] + ["out/my_clips", "out/tuned"][len(sys.argv) - 1 :]))
    if not folder.is_dir():
        make_folder(folder)
    report = BVHFolder(licence="mine").prepare(folder, out / "data", workers=1, overwrite=True)
    print(f"{report.clips} clips, {report.frames} frames")
    recipe, name = build.load_recipe(
        "text_to_motion_small",
        [
            "data.name=bvh_folder",
            f"data.folder={out / 'data'}",
            "data.balance=0",
            "initial=text_to_motion_small",
            "train.steps=2",
            "train.batch_size=4",
            "train.precision=no",
            f"output={out / 'model'}",
        ],
    )
    train.run(recipe, name, overwrite=True)
    mp.load(str(out / "model"))("a person walks as they do at our studio", seconds=2)[0].save(out / "tuned.html")
