"""Numbers in sentences, held to what they say in seconds, metres, degrees, steps and times."""

from __future__ import annotations

import pytest

from motion_platform.core.errors import UsageError
from motion_platform.planners.quantities import Quantities, number, read_quantities

READ = {
    "walks for 3 seconds": Quantities("walks", 3.0),
    "walks for about half a minute": Quantities("walks", 30.0),
    "walks for two minutes": Quantities("walks", 120.0),
    "walks 1,5 s": Quantities("walks", 1.5),
    "jumps twice": Quantities("jumps", None, 2.0, "times"),
    "jumps thrice": Quantities("jumps", None, 3.0, "times"),
    "waves 3 times in a row": Quantities("waves", None, 3.0, "times"),
    "jumps a couple of times": Quantities("jumps", None, 2.0, "times"),
    "2x jumps": Quantities("jumps", None, 2.0, "times"),
    "waves twice for 4 seconds": Quantities("waves", 4.0, 2.0, "times"),
    "takes four steps forward": Quantities("walks forward", None, 4.0, "steps"),
    "took two steps back": Quantities("walked back", None, 2.0, "steps"),
    "taking six quick strides": Quantities("walking quick", None, 6.0, "steps"),
    "runs five steps": Quantities("runs", None, 5.0, "steps"),
    "takes a step back": Quantities("takes a step back", None, 1.0, "steps"),  # one is said by the words themselves
    "turns 90 degrees": Quantities("turns", None, 90.0, "degrees"),
    "turns by a hundred and eighty degrees": Quantities("turns", None, 180.0, "degrees"),
    "spins a full circle": Quantities("spins around", None, 360.0, "degrees"),
    "turns a half turn": Quantities("turns around", None, 180.0, "degrees"),
    "walks in a quarter circle": Quantities("walks in a quarter circle", None, 90.0, "degrees"),
    "turns all the way around": Quantities("turns around", None, 360.0, "degrees"),
    "walks 2.5 m": Quantities("walks", None, 2.5, "metres"),
    "walks 200 cm": Quantities("walks", None, 2.0, "metres"),
    "runs a kilometre": Quantities("runs", None, 1000.0, "metres"),
    "walks 10 yards": Quantities("walks", None, 9.144, "metres"),
    "walks 10 feet": Quantities("walks", None, 3.048, "metres"),
    "stands on one foot": Quantities("stands on one foot"),  # the body's, no length
    "stamps his two feet": Quantities("stamps his two feet"),
    "walks as is": Quantities("walks as is"),  # "as" is no second
    "raises one arm": Quantities("raises one arm"),
}


@pytest.mark.parametrize("clause", READ)
def test_numbers_are_taken_out_of_a_clause(clause: str) -> None:
    read, wanted = read_quantities(clause), READ[clause]
    assert (read.words, read.unit) == (wanted.words, wanted.unit)
    assert read.seconds == pytest.approx(wanted.seconds)
    assert read.amount == pytest.approx(wanted.amount)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3.0), ("2.5", 2.5), ("2,5", 2.5), ("Twelve", 12.0), ("half  a", 0.5), ("a hundred and eighty", 180.0)],
)
def test_numbers_as_they_are_written(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bows 0 times", "asks for 0 times"),
        ("walks for 0 seconds", "asks for 0 seconds"),
        ("walks -3 steps", "asks for less than 0 steps"),
        ("turns \u221290 degrees", "asks for less than 0 degrees"),
    ],
)
def test_nothing_and_less_is_refused(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_quantities(words)


@pytest.mark.parametrize("words", ["- 3 jumps", "jumps 3 - 4 times", "a five-step walk", "walks 10-12 steps"])
def test_a_dash_is_no_minus(words: str) -> None:
    assert (read_quantities(words).amount or 1) > 0
