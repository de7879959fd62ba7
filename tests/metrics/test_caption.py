import math

import pytest
import torch

from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics import words
from motion_platform.metrics.bert_score import BERTScoreRaw, BERTScoreState, BERTScoreTokens, score
from motion_platform.metrics.caption import CaptionRaw, CaptionTokens, token_references


def batch_of(references, tokens=None):
    raw = {} if tokens is None else {"caption_tokens": tokens}
    ids = [f"clip {b}" for b in range(len(references))]
    return Batch(ids=ids, raw=raw, lengths=None, captions=references)


SENTENCES = [["A man walks, turning left."], ["the woman jumps up and down twice"], ["he kicks with the right foot"]]


class TestTokens:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("A man walks, turning left.", "a man walks turning left"),
            ("he can't; the man's leg isn't up", "he ca n't the man 's leg is n't up"),
            ("side-to-side (twice) 90-degree 1.5 m", "side-to-side twice 90-degree 1.5 m"),
            ("  'quoted'  ... his/her o'clock ", "quoted his/her o'clock"),
            ("?!", ""),
        ],
    )
    def test_as_the_penn_treebank_without_punctuation(self, text, wanted):
        assert words.tokenize(text) == wanted.split()


class TestClosedForms:
    def test_bleu_of_two_words_of_four(self):
        hypothesis, reference = ["a", "b", "c", "d"], ["a", "b", "x", "y"]
        assert words.bleu([hypothesis], [[reference]], 2) == pytest.approx([2 / 4, (2 / 4 * 1 / 3) ** 0.5], rel=1e-6)

    def test_bleu_punishes_a_short_corpus_and_clips(self):
        assert words.bleu([["a", "a"]], [[["a", "b", "c", "d"]]], 1) == pytest.approx(
            [0.5 * math.exp(1 - 4 / 2)], rel=1e-6
        )

    def test_bleu_takes_the_nearest_length_of_a_reference(self):
        got = words.bleu([["a", "b", "c"]], [[["a"], ["a", "b", "c", "d"]]], 1)
        assert got == pytest.approx([math.exp(1 - 4 / 3)], rel=1e-6)

    def test_bleu_sums_over_the_corpus_before_it_divides(self):
        got = words.bleu([["a"], ["x", "y", "z"]], [[["a"]], [["p", "q", "r"]]], 1)
        assert got == pytest.approx([1 / 4], rel=1e-6)

    def test_bleu_of_captions_with_fewer_words_than_it_counts(self):
        same = [["a"], ["b", "c"], ["d", "e", "f", "g", "h"]]
        assert words.bleu(same, [[text] for text in same]) == pytest.approx([1] * 4, rel=1e-6)

    def test_bleu_takes_the_shorter_of_two_references_that_are_as_near(self):
        got = words.bleu([["a", "b", "c"]], [[["a", "b", "c", "d"], ["a", "b"]]], 1)
        assert got == pytest.approx([1], rel=1e-6)  # not shorter than the reference: no penalty

    def test_rouge_l(self):
        # common: a c (2); precision 2/3, recall 2/4
        p, r, b = 2 / 3, 2 / 4, 1.2
        got = words.rouge_l(["a", "b", "c"], [["a", "x", "c", "y"]])
        assert got == pytest.approx((1 + b * b) * p * r / (r + b * b * p))
        assert words.rouge_l(["a"], [["b"]]) == 0
        assert (
            words.longest_common_subsequence(["a", "b", "c", "b", "d", "a", "b"], ["b", "d", "c", "a", "b", "a"]) == 4
        )

    def test_cider_of_the_references_themselves_is_ten(self):
        texts = [words.tokenize(t[0]) for t in SENTENCES]
        assert words.cider(texts, [[t] for t in texts]) == pytest.approx([10] * 3)
        assert words.cider([["no", "word", "in", "common"]] * 3, [[t] for t in texts]) == [0] * 3

    def test_cider_of_one_word_of_several_is_the_closed_form(self):
        # of four words that are rarer than in every text each weighs log 2; one of them is right, the order is not
        got = words.cider([["a", "y", "x", "z", "w"], ["q"]], [[["a", "b", "c", "d"]], [["q"]]])
        one = 1 / math.sqrt(5) / math.sqrt(4)  # cosine of the single words; no sequence is in common
        assert got == pytest.approx([10 / 4 * one * math.exp(-((4 - 3) ** 2) / (2 * 6.0**2)), 10 / 4])


class TestCaptions:
    def test_perfect(self):
        values = CaptionRaw().state([s[0] for s in SENTENCES], batch_of(SENTENCES)).compute()
        assert values == pytest.approx(
            {
                **{f"caption_raw_bleu_{n}": 1 for n in (1, 2, 3, 4)},
                "caption_raw_rouge_l": 1,
                "caption_raw_cider": 10,
            },
            rel=1e-6,
        )

    def test_raw_and_token_references_have_different_names_and_numbers(self):
        tokens = [["a/DET man/NOUN walk/VERB turn/VERB left/ADV"], ["woman/NOUN jump/VERB"], ["he kick with foot"]]
        batch = batch_of(SENTENCES, tokens)
        made = ["a man walk turn left", "woman jump", "he kick with foot"]
        raw, token = (metric().state(made, batch).compute() for metric in (CaptionRaw, CaptionTokens))
        assert token["caption_tokens_bleu_1"] == pytest.approx(1)
        assert raw["caption_raw_bleu_1"] < 0.6
        assert not set(raw) & set(token)

    @pytest.mark.parametrize("metric", [CaptionRaw(), CaptionTokens(), BERTScoreRaw(), BERTScoreTokens()])
    def test_bad_input_says_so(self, metric):
        good = batch_of(SENTENCES, [["a man"]] * 3)
        with pytest.raises(DataError, match="2 captions but 3 sample ids"):
            metric.state(["a", "b"], good)
        with pytest.raises(DataError, match="'clip 1' has no reference, or an empty one"):
            metric.state(["a", "b", "c"], batch_of([["a"], [""], ["b"]], [["a"], [], ["b"]]))
        with pytest.raises(DataError, match=r"caption.*got none"):
            metric.state(["a", "b", "c"], batch_of_none())
        good.ids[1] = "clip 0"
        with pytest.raises(DataError, match="counted twice: clip 0"):
            metric.state(["a", "b", "c"], good)

    @pytest.mark.parametrize("metric", [CaptionRaw(), BERTScoreRaw()])
    @pytest.mark.parametrize("empty", ["", " ", "..."])
    def test_a_caption_that_says_nothing_scores_nothing_and_stops_nobody(self, metric, empty):
        if isinstance(metric, BERTScoreRaw) and empty == "...":
            pytest.skip("dots are tokens of a language model")
        said = ["a man walks forward", "one person jumps twice", "she turns left again"]
        three = batch_of([[text] for text in said])
        right = metric.state(said, three).compute()
        got = metric.state([said[0], empty, said[2]], three).compute()
        unlike = [name for name in got if "bleu" not in name]
        assert all(got[name] == pytest.approx(2 / 3 * right[name], rel=1e-5) for name in unlike)
        nothing = metric.state([empty] * 3, three).compute()
        assert all(value == pytest.approx(0, abs=1e-6) for value in nothing.values())

    @pytest.mark.parametrize("metric", [CaptionRaw(), BERTScoreRaw()])
    def test_a_model_that_makes_something_else_is_told_what(self, metric):
        motion = Motion(torch.zeros(3, 2, 4), torch.tensor([2, 2, 2]), None)
        for made, what in ((motion, "motions"), (motion.lengths, "lengths")):
            with pytest.raises(DataError, match=rf"it judges captions, but the model made {what}$"):
                metric.state(made, batch_of(SENTENCES))

    def test_a_caption_said_twice_names_it_alone(self):
        batch = batch_of(SENTENCES)
        batch.ids[2] = "clip 1"
        with pytest.raises(DataError, match=r"samples counted twice: clip 1$"):
            CaptionRaw().state(["a", "b", "c"], batch)

    def test_tags_and_spaces_are_no_part_of_a_token(self):
        assert token_references(batch_of([["x"]], [["a/DET  man/NOUN/x walk"]]), "x") == [["a man walk"]]

    def test_no_word_and_too_small_a_corpus(self):
        with pytest.raises(DataError, match="reference of 'clip 0' has no word"):
            CaptionRaw().state(["a man"], batch_of([["..."]]))
        with pytest.raises(DataError, match="got 1 sample; CIDEr"):
            CaptionRaw().state(["a man"], batch_of(SENTENCES[:1])).compute()


def batch_of_none():
    return Batch(ids=["clip 0", "clip 1", "clip 2"], raw={}, lengths=None)


class TestBERTScore:
    def test_the_score_of_known_states_is_the_closed_form(self):
        x, y, both = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.6, 0.8])
        ones = torch.ones(2)
        p, r, f = score(torch.stack([x, y]), torch.stack([x, both]), (ones, torch.tensor([3.0, 1.0])))
        assert (p, r) == pytest.approx(((1 + 0.8) / 2, (3 * 1 + 0.8) / 4))
        assert f == pytest.approx(2 * p * r / (p + r))
        # a sentence of special tokens alone weighs nothing, and neither do two that share nothing
        assert score(torch.stack([x, y]), torch.stack([x, y]), (0 * ones, ones)) == pytest.approx((0, 1, 0))
        assert score(x[None], y[None], (ones[:1], ones[:1])) == (0.0, 0.0, 0.0)

    def test_no_sample_is_nothing_to_average(self):
        with pytest.raises(DataError, match="bert_score_raw: no samples"):
            BERTScoreState(BERTScoreRaw()).compute()

    def test_what_is_longer_than_its_model_reads_is_cut(self):
        metric = BERTScoreRaw()
        ids, states = metric._read(["walk " * 700, "walk " * 600])
        assert len({len(tokens) for tokens in ids.values()}) == 1
        assert all(len(tokens) == len(states[text]) <= 512 for text, tokens in ids.items())

    def test_of_the_reference_itself_is_one_and_meaning_counts(self):
        metric = BERTScoreRaw()
        same = metric.measure([(s[0], s) for s in SENTENCES])
        assert list(same.values()) == pytest.approx([1, 1, 1], abs=1e-6)
        near = metric.measure([("a person walks to the left", SENTENCES[0])])["bert_score_raw_f"]
        far = metric.measure([("somebody plays the violin", SENTENCES[0])])["bert_score_raw_f"]
        assert far < near < 1

    def test_its_model_is_read_from_the_disk_alone(self, monkeypatch):
        import transformers

        asked = []
        for name in ("AutoTokenizer", "AutoModel"):
            read = getattr(transformers, name).from_pretrained

            def note(folder, read=read, **settings):
                asked.append(settings.get("local_files_only"))
                return read(folder, **settings)

            monkeypatch.setattr(getattr(transformers, name), "from_pretrained", note)
        BERTScoreRaw().measure([("a man walks", ["a man walks"])])
        assert asked == [True, True]

    def test_the_best_reference_counts(self):
        metric = BERTScoreRaw()
        one = metric.measure([("a man walks", ["a man walks"])])
        assert metric.measure([("a man walks", ["a man walks", "a violin"])]) == pytest.approx(one)

    def test_a_missing_folder_or_layer_says_so(self, tmp_path):
        with pytest.raises(WeightsError):
            BERTScoreRaw(model=str(tmp_path / "nothing")).measure([("a", ["a"])])
        with pytest.raises(DataError, match=r"layer 7: .* has layers 0 to 6"):
            BERTScoreRaw(layer=7).measure([("a", ["a"])])
        assert [BERTScoreRaw(layer=layer)._layer(7) for layer in (0, 6, None)] == [0, 6, 6]
        with pytest.raises(DataError, match="layer -1"):
            BERTScoreRaw(layer=-1)._layer(7)
