"""A sentence becomes a motion, the motion is continued, and both are written: python examples/generate.py OUT_FOLDER"""

import sys
from pathlib import Path

import motion_platform as mp

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

model = mp.load("text_to_motion")
walk, run = model(["a tired person walks", "somebody runs"], seconds=3, seed=7)
print(walk, walk.joints.shape)
walk.save(out / "walk.html")
walk.save(out / "walk.bvh")

goes_on = model.edit(walk, keep="prefix", keep_seconds=1, text="a person waves the right hand", seconds=5)[0]
mp.write([walk, run, goes_on], out / "three.html")
print("seconds that such a motion lasts:", model.seconds("a person bows"))
