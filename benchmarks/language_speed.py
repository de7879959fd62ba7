"""How fast a motion language model writes: to the first token, alone, in a batch, and beside the published loop.

    python -m benchmarks.language_speed
    python -m benchmarks.language_speed --device cuda --decoding compiled --out speed.json

Four seconds of motion from one sentence, sampled without guidance, weights loaded and warm; medians of ``--repeats``,
in which the three ways take turns. The published loop (MotionGPT's and its kin's) writes one clip at a time and reads
the whole sequence anew for every token; here it is the same network, the same sentence and as many tokens. Turning
codes into joints is part of neither.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common import environment, table, write_json

TEXT = "a person waves with the right hand"
SECONDS = 4.0


def published_loop(model: Any, prompt: list[int], tokens: int, temperature: float) -> list[int]:
    """One answer of so many codes (temperature 0: the likeliest); each from a new forward of everything before it."""
    import torch

    first, ids = len(prompt), list(prompt)
    out = model.vocabulary.motion_out
    while len(ids) < first + tokens:
        embedded = model.embed(torch.tensor([ids], device=model.rows.device))
        hidden = model.base.body(inputs_embeds=embedded, use_cache=False).last_hidden_state[:, -1]
        logits = model.logits(hidden, out).float()[0, :-1]  # without the end mark
        chosen = torch.multinomial((logits / temperature).softmax(-1), 1) if temperature else logits.argmax()
        ids.append(int(out[int(chosen)]))
    return ids[first:]


def written(model: Any, prompts: list[list[int]], steps: int, temperature: float) -> list[list[int]]:
    """An answer of ``steps`` steps to each prompt, by the decoding of ``motion generate``."""
    from motion_platform.core.seeding import NoiseSource
    from motion_platform.generators.language.grammar import motion_grammar
    from motion_platform.language_models.decoding import write

    grammars = [motion_grammar(model.vocabulary, steps=steps, most=steps) for _ in prompts]
    noise = NoiseSource([str(k) for k in range(len(prompts))], 0)
    write(model, prompts, grammars, noise=noise, temperature=temperature, top_p=model.top_p)
    return [grammar.ids for grammar in grammars]


def first_token(model: Any, prompt: list[int]) -> int:
    """The most likely first id of an answer: what a reader waits for."""
    from motion_platform.language_models.decoding import Reader

    out = model.vocabulary.motion_out
    reader = Reader(model, [prompt], 1)
    return int(out[int(model.logits(reader.hidden, out).argmax())])


def timed(work: Callable[[], Any], device: str) -> float:
    """Seconds until the device is done."""
    import torch

    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="motion_lm_small", help="name or folder of a checkpoint of motion_lm")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--decoding", default="cached", choices=["cached", "compiled"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()
    import torch

    from motion_platform.core.errors import MotionPlatformError
    from motion_platform.pipelines import generate

    torch.set_num_threads(arguments.threads)
    try:
        model = generate.load("text_to_motion", arguments.model).model.to(arguments.device).trainable
    except MotionPlatformError as error:
        raise SystemExit(f"error: {error}") from error
    if not hasattr(model, "decoding"):
        raise SystemExit(f"{arguments.model}: is no motion language model")
    model.decoding = arguments.decoding
    steps, temperature = round(SECONDS * model.spec.fps) // model.tokenizer.stride, model.temperature
    tokens = steps * model.tokenizer.codebooks
    prompt = model.examiner.plain_prompt("text_to_motion", {"text": TEXT})
    ways = {
        "published loop, one": lambda: published_loop(model, prompt, tokens, temperature),
        "first token": lambda: first_token(model, prompt),
        "one": lambda: written(model, [prompt], steps, temperature),
        "batch": lambda: written(model, [prompt] * arguments.batch, steps, temperature),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for name, work in ways.items():
            print(f"warm: {name} {timed(work, arguments.device):.2f} s", file=sys.stderr)
        for _ in range(arguments.repeats):
            for name, work in ways.items():
                seconds[name].append(timed(work, arguments.device))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    each = {"published loop, one": 1, "one": 1, "batch": arguments.batch}
    rates = {name: count / medians[name] for name, count in each.items()}
    ratios = {name: rates[name] / rates["published loop, one"] for name in each}
    rows = [[name, f"{rates[name]:.2f}", f"{ratios[name]:.1f}"] for name in each]
    rows[-1][0] += f" of {arguments.batch}"
    print(table(rows, [f"{SECONDS:g} s of motion, {tokens} tokens", "sequences a second", "times the published loop"]))
    print(f"first token after {1000 * medians['first token']:.0f} ms; prompt of {len(prompt)} tokens")
    facts = {"seconds": seconds, "sequences_a_second": rates, "times_the_published_loop": ratios, "tokens": tokens}
    write_json(arguments.out, {**facts, "arguments": vars(arguments), "environment": environment()})


if __name__ == "__main__":
    main()
