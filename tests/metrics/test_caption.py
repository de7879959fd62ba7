import math

import pytest

from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Batch
from motion_platform.metrics import words
from motion_platform.metrics.bert_score import BERTScoreRaw, BERTScoreTokens
from motion_platform.metrics.caption import CaptionRaw, CaptionTokens


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

    def test_no_word_and_too_small_a_corpus(self):
        with pytest.raises(DataError, match="reference of 'clip 0' has no word"):
            CaptionRaw().state(["a man"], batch_of([["..."]]))
        with pytest.raises(DataError, match="got 1 sample; CIDEr"):
            CaptionRaw().state(["a man"], batch_of(SENTENCES[:1])).compute()


def batch_of_none():
    return Batch(ids=["clip 0", "clip 1", "clip 2"], raw={}, lengths=None)


class TestBERTScore:
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
