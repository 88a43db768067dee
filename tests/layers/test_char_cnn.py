"""The character CNN: what it reads of a word, against a plain loop; the contract is in `test_contract.py`."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import NumpyOps, fix_random_seed

from spacy_ctxtag.layers import char_cnn
from spacy_ctxtag.layers.char_cnn import BEGIN, END, CharCNN

VOCAB = Vocab()
ODD_WORDS = [
    "👩‍👩‍👧‍👦",
    "e\u0301\u0323\u0301",
    "\u202eשלום\u202c",
    "مرحبا",
    "\x00",
    "\x02",
    "\x03",
    "\u200b",
    "\ufeff",
    " \t\n",
    "𝔘𝔫𝔦",
    "\U0010ffff",
]


def make_model(**settings):
    fix_random_seed(0)
    return CharCNN(**{"width": 6, "char_width": 4, "rows": 60, **settings}).initialize()


def encode(model, words):
    return model.predict([Doc(VOCAB, words=words)])[0]


def row_ids(words, rows=2000, max_chars=40):
    ragged = char_cnn._characters(NumpyOps(), words, rows, max_chars)
    return ragged.dataXd.tolist(), ragged.lengths.tolist()


def encode_by_loop(model, word, windows, rows):
    """The formula of the layer for one word, without any of its code."""
    embed, filters = model.layers[0].layers[0].layers[0], model.layers[0].layers[1].layers
    E = embed.get_param("E")
    x = [E[i] for i in row_ids([word], rows)[0]]
    zero, found = numpy.zeros_like(x[0]), []
    for window, bank in zip(windows, filters, strict=True):
        maxout = bank.layers[1].layers[0]
        W, b = maxout.get_param("W"), maxout.get_param("b")
        padded = [zero] * window + x + [zero] * window
        spans = [numpy.concatenate(padded[i : i + 2 * window + 1]) for i in range(len(x))]
        found.append(numpy.max([(W @ span + b).max(axis=-1) for span in spans], axis=0))
    return numpy.concatenate(found)


@pytest.mark.parametrize("word", ["a", "EU", "Müller-Lüdenscheidt", "東京都", *ODD_WORDS])
def test_char_cnn_equals_plain_loop(word):
    model = make_model(width=7, windows=[1, 3])
    others = ["before", word, "behind"]
    assert_allclose(encode(model, others)[1], encode_by_loop(model, word, [1, 3], 60), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("one", "other"), [("us", "US"), ("on", "no"), ("a", "aa"), ("EU", "EU.")])
def test_char_cnn_tells_words_apart(one, other):
    Y = encode(make_model(), [one, other])
    assert not numpy.allclose(Y[0], Y[1])


def test_char_cnn_gives_equal_words_equal_rows_across_docs_and_vocabs():
    docs = [Doc(VOCAB, words=["EU", "call", "EU"]), Doc(Vocab(), words=[]), Doc(Vocab(), words=["Seoul", "EU"])]
    first, _, third = make_model().predict(docs)
    assert_array_equal(first[0], first[2])
    assert_array_equal(first[0], third[1])


def test_char_cnn_encodes_each_distinct_word_once(monkeypatch):
    seen = []
    encode_characters = char_cnn._characters
    monkeypatch.setattr(
        char_cnn, "_characters", lambda ops, words, *args: seen.append(words) or encode_characters(ops, words, *args)
    )
    make_model().predict([Doc(VOCAB, words=["a", "b", "a", "A"]), Doc(VOCAB, words=["b", "c"])])
    assert [sorted(words) for words in seen] == [["A", "a", "b", "c"]]


def test_char_cnn_accumulates_gradient_of_repeated_words():
    once, thrice = make_model(), make_model()
    once([Doc(VOCAB, words=["EU"])], is_train=True)[1]([numpy.full((1, 6), 3.0, dtype="float32")])
    thrice([Doc(VOCAB, words=["EU"] * 3)], is_train=True)[1]([numpy.ones((3, 6), dtype="float32")])
    for node, twin in zip(once.walk(), thrice.walk(), strict=True):
        for name in node.param_names:
            assert_allclose(node.get_grad(name), twin.get_grad(name), rtol=1e-5)


def test_characters_are_marked_at_both_ends():
    assert row_ids(["ab", ""]) == ([ord(c) for c in (BEGIN, "a", "b", END, BEGIN, END)], [4, 2])


@pytest.mark.parametrize(("rows", "own"), [(8, 6), (60, 45), (2000, 1500)])
def test_low_code_points_have_rows_of_their_own_and_others_share(rows, own):
    low, high = "".join(map(chr, range(own))), "".join(map(chr, range(own, 0xD000))) + "😀\U0010ffff"
    low_ids, high_ids = row_ids([low], rows, 10**6)[0][1:-1], row_ids([high], rows, 10**6)[0][1:-1]
    assert low_ids == list(range(own))
    assert set(high_ids) == set(range(own, rows))


@pytest.mark.parametrize("block", [(0x620, 0x64A), (0x905, 0x939), (0x1F600, 0x1F64F), (0x3041, 0x3096)])
def test_neighbours_of_an_alphabet_keep_apart(block):
    ids = row_ids(["".join(map(chr, range(*block)))], max_chars=10**6)[0][1:-1]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("max_chars", [2, 3, 40])
def test_long_word_keeps_head_and_tail(max_chars):
    tail = max_chars // 2
    head = max_chars - tail
    long = "h" * head + "x" * 5000 + "t" * tail
    assert row_ids([long], max_chars=max_chars) == row_ids(["h" * head + "t" * tail])
    short = "h" * head + "t" * tail
    assert row_ids([short], max_chars=max_chars) == row_ids([short], max_chars=max_chars + 1)


def test_char_cnn_takes_words_of_5000_characters():
    model = make_model(max_chars=10)
    Y = encode(model, ["😀" * 5000, "y" * 5000, "z"])
    assert Y.shape == (3, 6)
    assert numpy.isfinite(Y).all()


def test_char_cnn_drops_out_a_word_alike_in_all_its_places():
    model = make_model(dropout=0.5, width=40)
    Y, _ = model([Doc(VOCAB, words=["EU", "and", "EU"])], is_train=True)
    assert (Y[0] == 0).any()
    assert_array_equal(Y[0][0], Y[0][2])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50), min_size=1, max_size=8))
@settings(max_examples=60)
def test_char_cnn_takes_any_text(words):
    model = make_model()
    Y = encode(model, [*words, *words])
    assert Y.shape == (2 * len(words), 6)
    assert numpy.isfinite(Y).all()
    assert_array_equal(Y[: len(words)], Y[len(words) :])


@given(st.permutations(ODD_WORDS))
@settings(max_examples=20)
def test_char_cnn_reads_odd_words_by_themselves(words):
    model = make_model()
    assert_allclose(encode(model, words), [encode(model, [word])[0] for word in words], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "setting",
    [
        {"width": 0},
        {"width": 1, "windows": [1, 2]},
        {"char_width": 0},
        {"rows": 7},
        {"windows": []},
        {"windows": [1, 0]},
        {"max_chars": 1},
        {"pieces": 0},
    ],
    ids=str,
)
def test_char_cnn_refuses_settings_out_of_range(setting):
    with pytest.raises(ValueError, match="Expected at least"):
        CharCNN(**setting)
