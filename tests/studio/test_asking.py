from __future__ import annotations

import pytest

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.studio.asking import CALLS, check, key_of


def test_the_words_are_those_of_the_python_face() -> None:
    import inspect

    from motion_platform.pipelines.pipeline import Pipeline

    methods = {"generate": Pipeline.__call__, "edit": Pipeline.edit, "caption": Pipeline.caption}
    for call, method in {**methods, "seconds": Pipeline.seconds}.items():
        words = set(inspect.signature(method).parameters) - {"self", "progress"}
        assert words <= set(CALLS[call].model_fields), call


@pytest.mark.parametrize(
    ("call", "values", "said"),
    [
        ("generate", {"text": "walk", "sampels": 2}, "samples"),
        ("generate", {"text": "walk", "samples": 0}, "samples"),
        ("generate", {"text": "walk", "seed": "7"}, "seed"),
        ("generate", {"text": ["walk"] * 20, "samples": 2}, "40 answers"),
        ("generate", {"text": "walk", "seconds": 600.0, "samples": 3}, "1200 s in all"),
        ("generate", {"timeline": "/etc/plan.yaml"}, "timeline"),
        ("generate", {"timeline": [{"text": "walk", "seconds": 50}] * 30}, "1200 s in all"),
        ("generate", ["walk"], "JSON object"),
        ("edit", {"text": "walk"}, "clip"),
    ],
)
def test_a_wrong_call_is_one_line(call: str, values: object, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        check(call, values)
    assert "\n" not in str(caught.value)


def test_an_unknown_call_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'caption'"):
        check("captoin", {})


def test_a_key_stands_for_inputs_and_weights() -> None:
    asked = check("generate", {"text": "walk", "seconds": 2})
    key = key_of("generate", asked, {"a": "1"})
    assert key == key_of("generate", check("generate", {"seconds": 2.0, "text": "walk"}), {"a": "1"})
    assert len({key, key_of("generate", asked, {"a": "2"}), key_of("edit", asked, {"a": "1"})}) == 3
    assert key != key_of("generate", check("generate", {"text": "walk", "seconds": 2, "seed": 1}), {"a": "1"})
