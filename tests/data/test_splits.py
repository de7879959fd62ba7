"""Splits: deterministic, in proportion, and independent of what else is there."""

from collections import Counter

from motion_platform.data.splits import stratified


def test_stratified_keeps_proportions_in_every_stratum():
    groups = {
        f"{kind} {take}": kind for kind, count in (("a", 100), ("b", 40), ("c", 4), ("d", 3)) for take in range(count)
    }
    found = stratified(groups)
    assert set(found) == set(groups)
    count = Counter((groups[g], s) for g, s in found.items())
    assert (count["a", "test"], count["a", "val"], count["a", "train"]) == (15, 5, 80)
    assert (count["b", "test"], count["b", "val"], count["b", "train"]) == (6, 2, 32)
    assert count["c", "train"] >= 3
    assert count["d", "train"] == 3  # never test a kind of motion that is not trained


def test_stratified_does_not_depend_on_order_or_on_other_strata():
    groups = {f"a{k}": "a" for k in range(50)}
    first = stratified(groups)
    again = stratified(dict(reversed(list(groups.items()))) | {f"b{k}": "b" for k in range(70)})
    assert all(again[g] == s for g, s in first.items())
    assert stratified(groups, seed="another") != first


def test_shares_are_rounded_for_every_size_of_a_stratum():
    for count in range(1, 60):
        found = Counter(stratified({f"g{k}": "x" for k in range(count)}).values())
        test, val = (round(0.15 * count), round(0.05 * count)) if count >= 4 else (0, 0)
        assert (found["test"], found["val"]) == (test, val), count
