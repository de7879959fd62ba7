"""What stands under "Examples" in the help of every command; the tests parse each of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "list": ("motion list", "motion list metrics"),
    "generate": (
        "motion generate text_to_motion --text 'a person waves' -o wave.html",
        "motion generate text_to_motion --text-file texts.txt --samples 3 --seed 7 -o motions.npz",
        "motion generate music_to_conductor --music waltz.ogg --style grand -o waltz.mp4",
        "motion generate motion_prediction --motion walk.bvh -o walk_on.html",
        "motion generate text_to_motion --timeline 'walk forward:3, bow:2, wave:4' -o three.html",
        "motion generate my_task.yaml --give speech=talk.wav --give mood=calm -o talk.html",
    ),
    "edit": (
        "motion edit walk.bvh --keep prefix --seconds 6 --text 'a person sits down' -o longer.html",
        "motion edit walk.bvh --keep lower_body --text 'a person waves' -o wave.bvh",
    ),
    "train": (
        "motion train smoke/text_to_motion train.steps=100 output=runs/first",
        "motion train text_to_motion_small --resume",
        "torchrun --nproc_per_node 2 cli.py train text_to_motion_small",
    ),
    "evaluate": (
        "motion evaluate text_to_motion_small --samples 100 --repeats 2 -o result.json",
        "motion evaluate runs/first --metrics frechet,foot_skating",
        "motion evaluate my_motions/ --task text_to_motion -o result.md",
    ),
    "benchmark": (
        "motion benchmark samplers",
        "motion benchmark --models text_to_motion_small,runs/first --seeds 0,1 -o runs/benchmarks/mine",
    ),
    "compare": ("motion compare first.json second.json", "motion compare first.json --published"),
    "search": ("motion search --text 'a person runs' --top 5", "motion search --motion walk.bvh -o alike.html"),
    "caption": ("motion caption walk.bvh", "motion caption a.npz b.bvh --samples 3 -o captions.json"),
    "tokenize": ("motion tokenize walk.bvh -o walk.json",),
    "detokenize": ("motion detokenize walk.json -o walk.html",),
    "tokenizer-report": ("motion tokenizer-report rvq_open --samples 50 -o health.json",),
    "push": ("motion push runs/text_to_motion_small OWNER/NAME --private",),
    "export": (
        "motion export runs/motion_lm runs/adapter",
        "motion export motion_lm_small runs/motion_lm_hf --merged",
        "motion export motion_lm_small runs/motion_lm.gguf --gguf",
    ),
    "length": ("motion length --text 'a person waves'",),
    "plan": ("motion plan 'a person walks forward, then bows and waves'",),
    "studio": ("motion studio", "motion studio --port 0 --folder my_studio/"),
    "serve": ("motion serve --port 8421",),
    "convert": (
        "motion convert walk.bvh walk.glb",
        "motion convert 01_01.amc walk.npz --asf 01.asf --retarget",
    ),
    "render": (
        "motion render walk.bvh run.bvh -o both.html",
        "motion render waltz.npz --music waltz.ogg -o waltz.mp4",
    ),
    "info": ("motion info walk.bvh", "motion info text_to_motion_small", "motion info data/bandai_cmu"),
    "doctor": ("motion doctor",),
    "data prepare": (
        "motion data prepare bvh_folder --source my_clips/",
        "motion data prepare bandai_namco --source ~/bandai --out data/bandai_namco --workers 4",
    ),
    "sweep": (
        "motion sweep text_to_motion_small train.steps=2000 --over train.learning_rate=1e-4,3e-4 --over seed=1,2",
        "motion sweep smoke/recogniser --over train.learning_rate=1e-5..1e-2 --search optuna --trials 20",
        "motion data prepare bvh_folder --source mine --shards 1000 --part 2/8 --out shared/mine",
    ),
    "data list": ("motion data list",),
    "data shard": (
        "motion data shard bandai_cmu --out shards/bandai_cmu",
        "motion data shard data/mine --representation humanml3d_essential --clips 2000 --out shards/mine",
    ),
    "data info": ("motion data info data/bandai_cmu",),
    "weights list": ("motion weights list",),
    "weights get": ("motion weights get smollm2-135m",),
    "weights import-guo": (
        "motion weights import-guo finest.tar --glove glove/ --mean mean.npy --std std.npy --out runs/guo",
    ),
    "weights import-m2s": ("motion weights import-m2s M2SNet.pt --out runs/m2s",),
    "weights import-mdm": (
        "motion weights import-mdm model000475000.pt --mean Mean.npy --std Std.npy --out runs/mdm",
        "motion weights import-mdm kit.pt --mean Mean.npy --std Std.npy --out runs/mdm_kit --recipe published/mdm_kit",
    ),
    "weights import-diffusion-conductor": (
        "motion weights import-diffusion-conductor latest.tar --sync runs/m2s --out runs/conductor",
    ),
    "weights import-m2s-gan": ("motion weights import-m2s-gan M2SGAN.pt --sync runs/m2s --out runs/gan",),
}
"""Name of a command (with its group in front) -> lines that could be typed."""


def of(command: str) -> str | None:
    """The end of a command's help: its examples, one a line. None for a command that has none."""
    lines = EXAMPLES.get(command)
    return None if lines is None else "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
