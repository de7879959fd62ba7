"""Ways to damage a file: bytes, tokens, lines, trees of JSON and YAML, members of an .npz, headers. Seeded."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml

WORDS = [
    "nan", "-nan", "inf", "-inf", "1e300", "-1e300", "1e999", "0", "-1", "1", "0.0", "4294967296", "-2147483649",
    "99999999999999999999999", "9" * 5000, "1e-300", "", "null", "true", "no", "[]", "{}", "'", '"', "a" * 3000, "\x00",
    "\u202e", "\ud800", "é", "../../etc/passwd", "/etc/passwd", "${oc.env:HOME}", "!!python/object/apply:os.getcwd []",
    "&a [*a]", "*a", "1_000", "1,5", "٣", "0x10", "1e9", "{", "}", "[" * 50,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1e9, 1e300, -1e300, float("nan"), float("inf"), "", "x", "\x00",
    "\ud800", "a" * 3000, [], {}, [[]], [None], {"": None}, {"a": {"b": {}}}, "nan", "../../x", [1, "2", None],
    [[[[]]]],
]  # fmt: skip


def flip(data: bytes, random_: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(random_.choice((1, 1, 2, 8, 64))):
        if found:
            found[random_.randrange(len(found))] ^= 1 << random_.randrange(8)
    return bytes(found)


def head_damage(data: bytes, random_: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(random_.choice((1, 2, 4))):
        if found:
            found[random_.randrange(min(len(found), 256))] = random_.choice(
                (0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256))
            )
    return bytes(found)


def cut(data: bytes, random_: random.Random) -> bytes:
    return data[: random_.randrange(len(data) + 1)]


def piece_out(data: bytes, random_: random.Random) -> bytes:
    a = random_.randrange(len(data) + 1)
    return data[:a] + data[a + random_.randrange(1, 400) :]


def repeat(data: bytes, random_: random.Random) -> bytes:
    a = random_.randrange(len(data) + 1)
    b = min(len(data), a + random_.randrange(1, 2000))
    return data[:b] + data[a:b] * random_.choice((1, 2, 10)) + data[b:]


def garbage_in(data: bytes, random_: random.Random) -> bytes:
    a = random_.randrange(len(data) + 1)
    return data[:a] + random_.randbytes(random_.choice((1, 4, 100, 5000))) + data[a:]


def binary(data: bytes, random_: random.Random) -> bytes:
    return random_.choice(
        (b"", b"\x00" * 1000, random_.randbytes(3000), data[:8] + random_.randbytes(2000), b"\n", b" ")
    )


def encoded(data: bytes, random_: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    how = random_.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-16-le", "utf-7"))
    return text.encode(how, "replace")


def token(data: bytes, random_: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    places = [match.span() for match in re.finditer(r"[^\s,;:\[\]{}\"']+", text[:20000])]
    for _ in range(random_.choice((1, 1, 2, 5))):
        if places:
            a, b = places[random_.randrange(len(places))]
            text = text[:a] + random_.choice(WORDS) + text[b:]
    return text.encode("utf-8", "surrogatepass")


def lines(data: bytes, random_: random.Random) -> bytes:
    found = data.split(b"\n")
    for _ in range(random_.choice((1, 1, 3))):
        a = random_.randrange(len(found))
        how = random_.randrange(4)
        if how == 0 and len(found) > 1:
            del found[a]
        elif how == 1:
            found.insert(a, found[random_.randrange(len(found))])
        elif how == 2:
            b = random_.randrange(len(found))
            found[a], found[b] = found[b], found[a]
        else:
            found[a] = found[a][:20_000] * random_.choice((2, 50))
    return b"\n".join(found)


def nested(data: bytes, random_: random.Random) -> bytes:
    depth = random_.choice((60, 2000, 100_000))
    opened, closed = random_.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"- ", b""), (b"{ ", b" }")))
    inside = random_.choice((b"1", data[:2000]))
    return opened * depth + inside + closed * depth


def tree(data: bytes, random_: random.Random) -> bytes:
    """Somewhere in a JSON or YAML tree another value, another key, one key less, one more."""
    text = data.decode("utf-8", "replace")
    try:
        value, dump = json.loads(text), json.dumps
    except (ValueError, RecursionError):
        try:
            value, dump = yaml.safe_load(text[:100_000]), yaml.safe_dump  # type: ignore[assignment]
        except Exception:  # what an earlier mutation has made of it
            return token(data, random_)
    for _ in range(random_.choice((1, 1, 2))):
        value = _changed(value, random_)
    try:
        return dump(value).encode("utf-8", "surrogatepass")
    except Exception:  # a value that cannot be written
        return token(data, random_)


def _changed(value: Any, random_: random.Random) -> Any:
    if isinstance(value, dict) and value and random_.random() < 0.85:
        value = dict(value)
        key = random_.choice(list(value))
        how = random_.random()
        if how < 0.1:
            del value[key]
        elif how < 0.2:
            value[random_.choice(["x", "name", "", "a" * 300])] = random_.choice(VALUES)
        else:
            value[key] = _changed(value[key], random_)
        return value
    if isinstance(value, list) and value and random_.random() < 0.85:
        value = list(value)
        at = random_.randrange(len(value))
        how = random_.random()
        if how < 0.1:
            del value[at]
        elif how < 0.2:
            value.insert(at, random_.choice(VALUES))
        else:
            value[at] = _changed(value[at], random_)
        return value
    return random_.choice(VALUES)


def array(data: bytes, random_: random.Random) -> bytes:
    """Another array in an .npy file, or in a member of an .npz file."""
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
        except Exception:  # what an earlier mutation has made of it
            return flip(data, random_)
        name = random_.choice(list(members))
        how = random_.random()
        if how < 0.1:
            del members[name]
        elif how < 0.2:
            members[name.removesuffix(".npy") + random_.choice(("", ".txt", "/x.npy"))] = members.pop(name)
        elif how < 0.3:
            members[f"extra{random_.randrange(9)}.npy"] = _npy(np.zeros(random_.choice((1, 10**6)), np.uint8))
        else:
            members[name] = random_.choice((_other_array, flip, head_damage, cut, npy_header))(members[name], random_)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return out.getvalue()
    return random_.choice((_other_array, npy_header))(data, random_)


LONGEST = 10**7
"""A damaged header may say no rows of 10^15 columns; numpy repeats and writes those for ever, which was counted as a
death of the reader."""


def _other_array(data: bytes, random_: random.Random) -> bytes:
    try:
        x = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:
        return flip(data, random_)
    if max(x.shape, default=0) > LONGEST:
        return flip(data, random_)
    how = random_.randrange(9)
    if x.dtype.kind in "US" and x.ndim == 0:
        return _npy(np.array(tree(str(x).encode("utf-8", "replace"), random_).decode("utf-8", "replace")))
    if how == 0:
        x = x[..., None]
    elif how == 1:
        x = x.reshape(-1)
    elif how == 2:
        x = x[:0] if x.ndim else x
    elif how == 3:
        x = np.repeat(x, 3, axis=-1) if x.ndim else x
    elif how == 4:
        x = x.astype(random_.choice(("u1", "f2", "c16", "U8", "i8", "?", ">f4", "S3")), casting="unsafe")
    elif how == 5 and x.ndim:
        x = x.swapaxes(0, -1)
    elif x.size and x.dtype.kind == "f":
        x = x.copy()
        at = random_.randrange(x.size)
        with np.errstate(over="ignore"):
            x.reshape(-1)[at : at + random_.choice((1, 1, 50, x.size))] = random_.choice(
                (np.nan, np.inf, 1e30, -1e30, 1e6, 0.0, -1.0, 1e-30, 3.0)
            )
    return _npy(np.ascontiguousarray(x))


def _npy(x: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, x, allow_pickle=True)
    return out.getvalue()


def npy_header(data: bytes, random_: random.Random) -> bytes:
    """Another header before the same numbers."""
    at = data.find(b"\n") + 1 or len(data)
    descr = random_.choice(("<f4", "|O", "<f8", "|u1", "<U9", ">i2", "nonsense", "|V0"))
    shape = random_.choice(
        ("()", "(0,)", "(10**12,)", "(1000000000000, 22, 3)", "(-1, 3)", "(5, 22, 3)", "(True,)", "3", "(")
    )
    text = random_.choice((
        f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}",
        f"{{'descr': {[('a', descr)]}, 'fortran_order': True, 'shape': {shape}}}",
        "{" * 500,
        "'" + "x" * 50,
        f"{{'descr': '{descr}'}}",
    ))  # fmt: skip
    head = text.encode() + b" " * (16 - (11 + len(text)) % 16) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data[at:]


def safetensors_header(data: bytes, random_: random.Random) -> bytes:
    """A changed JSON header of a .safetensors file."""
    size = int.from_bytes(data[:8], "little")
    head = tree(data[8 : 8 + size], random_)
    return len(head).to_bytes(8, "little") + head + data[8 + size :]


def numbers(data: bytes, random_: random.Random) -> bytes:
    """NaN, infinity or a huge number as float32 somewhere after the head of a binary file."""
    if len(data) < 200:
        return flip(data, random_)
    at = random_.randrange(100, len(data) - 4) // 4 * 4
    value = np.array(random_.choice((np.nan, np.inf, 1e38, -1e30)), "<f4").tobytes()
    return data[:at] + value * random_.choice((1, 20)) + data[at + 4 :]


def midi_event(data: bytes, random_: random.Random) -> bytes:
    """An event of a score with extreme numbers."""
    event = random_.choice((
        b"\x00\xff\x51\x03\xff\xff\xff", b"\x00\xff\x51\x03\x00\x00\x00", b"\x00\xff\x51\x03\x00\x00\x01",
        b"\x00\xff\x58\x04\x01\xff\x18\x08", b"\x00\xff\x58\x04\x01\x10\x18\x08", b"\x00\xff\x58\x04\x00\x00\x00\x00",
        b"\x00\xff\x58\x04\xff\x02\x18\x08", b"\xff\xff\xff\x7f\x90\x40\x40", b"\x00\x90\x40\x40" * 300,
        b"\x00\xc0\xff",
        b"\x00\xff\x59\x02\x7f\x09",
    ))  # fmt: skip
    at = data.find(b"MTrk", random_.randrange(max(1, len(data) // 2))) + 8
    at += random_.choice((0, 0, random_.randrange(200)))
    return data[:at] + event + data[at:]


def midi_head(data: bytes, random_: random.Random) -> bytes:
    ticks = random_.choice((0, 1, 0x7FFF, 0x8000, 0xE728, 0xFFFF, random_.randrange(65536)))
    return data[:12] + ticks.to_bytes(2, "big") + data[14:]


BYTES: list[Callable[[bytes, random.Random], bytes]] = [
    flip, flip, head_damage, cut, piece_out, repeat, garbage_in, binary, numbers,
]  # fmt: skip
TEXT = [token, token, token, lines, lines, flip, cut, piece_out, repeat, garbage_in, binary, encoded, nested]
TREE = [tree, tree, tree, tree, token, lines, cut, flip, encoded, nested, binary]
ARRAYS = [array, array, array, flip, head_damage, cut, repeat, binary, numbers]
SAFETENSORS = [safetensors_header, safetensors_header, numbers, numbers, flip, head_damage, cut, binary]
MIDI = [midi_event, midi_event, midi_head, flip, head_damage, cut, repeat, piece_out, binary]
