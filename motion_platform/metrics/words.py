"""Counting words: BLEU, ROUGE-L and CIDEr on captions that are lists of tokens.

Each is what pycocoevalcap 1.2 computes, to the last printed digit: the numbers that captioning papers report.
A corpus is n hypotheses, and for each one or more references.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

Tokens = Sequence[str]

_WORD = re.compile(
    r"[a-z]+(?=n't\b)|n't\b|'(?:s|m|d|ll|re|ve)\b"  # do n't, man 's
    r"|\d+(?:[.,:/-]\d+)*(?:-?[a-z]+)*"  # 3, 3.5, 3/4, 90-degree
    r"|[^\W\d_]\w*(?:[-/]\w+)*(?:'(?!s\b|m\b|d\b|ll\b|re\b|ve\b)[^\W\d_]+)*"  # side-to-side, his/her, o'clock
    r"|[&%$#@+=]+",  # a sign that stands for a word
    re.IGNORECASE,
)


def tokenize(caption: str) -> list[str]:
    """Words in lower case without punctuation, as the Penn Treebank splits them: ``can't`` is ``ca n't``.

    As pycocoevalcap with its Java program on 99.5 % of the captions of HumanML3D. The others: brackets, which it
    keeps as words (``-lrb-``), and sentences without a space between them.
    """
    text = caption.lower().replace("\u2019", "'").replace("cannot", "can not")
    return _WORD.findall(text)


def ngrams(tokens: Tokens, longest: int = 4) -> Counter[tuple[str, ...]]:
    """How often every sequence of 1 to ``longest`` tokens comes."""
    return Counter(tuple(tokens[i : i + n]) for n in range(1, longest + 1) for i in range(len(tokens) - n + 1))


def bleu(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]], longest: int = 4) -> list[float]:
    """BLEU-1 to BLEU-``longest`` of a corpus (Papineni et al. 2002, section 2.3), each in [0, 1].

    Clipped n-gram matches over n-grams, both summed over the corpus, in the geometric mean over orders; times
    exp(1 - r / c) when the corpus c is shorter than r, the sum of the reference lengths nearest to each hypothesis.
    """
    right, made, length, nearest = [0] * longest, [0] * longest, 0, 0
    for hypothesis, refs in zip(hypotheses, references, strict=True):
        most: Counter[tuple[str, ...]] = Counter()
        for ref in refs:
            most |= ngrams(ref, longest)
        for gram, count in (ngrams(hypothesis, longest) & most).items():
            right[len(gram) - 1] += count
        for n in range(longest):
            made[n] += max(0, len(hypothesis) - n)
        length += len(hypothesis)
        nearest += min((abs(len(ref) - len(hypothesis)), len(ref)) for ref in refs)[1]
    # The two small numbers are pycocoevalcap's; they decide nothing but a corpus without any match.
    ratio = (length + 1e-15) / (nearest + 1e-9)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    scores, product = [], 1.0
    for n in range(longest):
        product *= (right[n] + 1e-15) / (made[n] + 1e-9)
        scores.append(product ** (1 / (n + 1)) * brevity)
    return scores


def longest_common_subsequence(a: Tokens, b: Tokens) -> int:
    """The number of tokens of the longest sequence that is in both, in this order, with gaps."""
    row = [0] * (len(b) + 1)
    for token in a:
        before = row
        row = [0]
        for j, other in enumerate(b):
            row.append(before[j] + 1 if token == other else max(before[j + 1], row[j]))
    return row[-1]


def rouge_l(hypothesis: Tokens, references: Sequence[Tokens], beta: float = 1.2) -> float:
    """ROUGE-L of one caption (Lin 2004, section 3): (1 + b^2) P R / (R + b^2 P), in [0, 1].

    P and R: the longest common subsequence over the lengths of hypothesis and reference, each the best over references.
    """
    common = [longest_common_subsequence(hypothesis, ref) for ref in references]
    if not any(common):
        return 0.0
    precision = max(c / len(hypothesis) for c in common)
    recall = max(c / len(ref) for c, ref in zip(common, references, strict=True))
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def cider(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]], sigma: float = 6.0) -> list[float]:
    """CIDEr-D of each caption (Vedantam et al. 2015, arXiv:1411.5726, section 5), in [0, 10].

    tf-idf vectors of n-grams, idf from the references of this corpus; clipped cosine, mean over references and n = 1
    to 4; times exp(-(difference in length)^2 / (2 sigma^2)), the length being the number of 2-grams; times 10.
    """
    cooked = [[ngrams(ref) for ref in refs] for refs in references]
    found: Counter[tuple[str, ...]] = Counter()
    for refs in cooked:
        found.update(set().union(*refs))
    total = math.log(len(references))

    def vectors(counts: Counter[tuple[str, ...]]) -> tuple[list[dict], list[float], int]:
        split: list[dict[tuple[str, ...], float]] = [{} for _ in range(4)]
        for gram, count in counts.items():
            split[len(gram) - 1][gram] = count * (total - math.log(max(1, found[gram])))
        norms = [math.sqrt(math.fsum(v * v for v in part.values())) for part in split]
        return split, norms, sum(count for gram, count in counts.items() if len(gram) == 2)

    scores = []
    for hypothesis, refs in zip(hypotheses, cooked, strict=True):
        mine, my_norms, my_length = vectors(ngrams(hypothesis))
        score = 0.0
        for ref in refs:
            other, norms, length = vectors(ref)
            penalty = math.exp(-((my_length - length) ** 2) / (2 * sigma**2))
            for n in range(4):
                if my_norms[n] and norms[n]:
                    shared = math.fsum(min(v, other[n][g]) * other[n][g] for g, v in mine[n].items() if g in other[n])
                    score += penalty * shared / (my_norms[n] * norms[n])
        scores.append(10 * score / (4 * len(refs)))
    return scores
