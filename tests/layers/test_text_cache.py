"""The cache of whole texts: exact, bounded, never older than the weights, not copied, and the same under threads."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from numpy.testing import assert_array_equal
from spacy.tokens import Doc
from thinc.api import Adam
from tiny_encoders import LONG, NLP, PLAIN, docs_of, make_encoder

from spacy_ctxtag.layers.precision import FLOATS
from spacy_ctxtag.layers.text_cache import CacheInfo, TextCache

pytestmark = pytest.mark.backbone
TEXTS = [PLAIN, "", "London", LONG, "\n", "Ada wrote."]


def cached(backbone, **settings):
    """RETURNS (tuple): An encoder with a cache, and the cache."""
    model = make_encoder(backbone, cache_mb=1, **settings)
    return model, model.shims[1]


def assert_same(found, expected):
    for y, z in zip(found, expected, strict=True):
        assert_array_equal(y, z)


@pytest.mark.parametrize("precision", FLOATS)
def test_a_text_seen_before_has_the_same_vectors_bit_for_bit(precision, tiny_backbone, monkeypatch):
    model, cache = cached(tiny_backbone, precision=precision)
    first = model.predict(docs_of(*TEXTS))
    model.predict(docs_of("nobody"))
    module = model.shims[0]._copies.get(model.shims[0].module, "fp32", precision)
    monkeypatch.setattr(module, "forward", None)  # is not run any more
    assert_same(model.predict(docs_of(*TEXTS)), first)
    assert_same(model.predict(docs_of(*reversed(TEXTS))), reversed(first))
    assert cache.info()[:2] == (2 * len(TEXTS), len(TEXTS) + 1)


@pytest.mark.parametrize("precision", FLOATS)
def test_what_is_cached_is_what_the_encoder_gives(precision, tiny_backbone):
    model, _ = cached(tiny_backbone, precision=precision)
    assert_same(
        model.predict(docs_of(*TEXTS)), make_encoder(tiny_backbone, precision=precision).predict(docs_of(*TEXTS))
    )


@pytest.mark.parametrize("precision", FLOATS)
def test_a_text_does_not_depend_on_its_neighbours_but_for_rounding(precision, tiny_backbone):
    """Or else a cache would be unsound: a precision of which this does not hold must refuse it."""
    model = make_encoder(tiny_backbone, precision=precision)
    for doc, y in zip(docs_of(*TEXTS), model.predict(docs_of(*TEXTS)), strict=True):
        [alone] = model.predict([doc])
        off = numpy.linalg.norm(alone - y, axis=1) / numpy.linalg.norm(y, axis=1).clip(1e-6)
        assert off.max(initial=0) < {"fp32": 1e-5, "bf16": 0.05, "fp16": 0.005}[precision]


def test_equal_texts_of_a_batch_are_encoded_once(tiny_backbone):
    model, cache = cached(tiny_backbone)
    found = model.predict(docs_of("London", PLAIN, "London"))
    assert_array_equal(found[0], found[2])
    found[0][:] = 7
    assert not (found[2] == 7).any()
    assert cache.info()[:3] == (1, 2, 2)
    assert cache.info().hit_rate == pytest.approx(1 / 3)


def test_other_tokens_of_the_same_text_are_another_entry(tiny_backbone):
    model, cache = cached(tiny_backbone)
    one, other = Doc(NLP.vocab, ["Londoners"]), Doc(NLP.vocab, ["London", "ers"], [False, False])
    spaced, glued = Doc(NLP.vocab, ["a", "b"], [True, False]), Doc(NLP.vocab, ["a ", "b"], [False, False])
    docs = [one, other, spaced, glued]
    assert_same(model.predict(docs), make_encoder(tiny_backbone).predict(docs))
    assert cache.info().misses == 4


def test_results_may_be_changed(tiny_backbone):
    model, _ = cached(tiny_backbone)
    [first] = model.predict(docs_of(PLAIN))
    kept = first.copy()
    for _ in range(2):
        first[:] = 7
        [first] = model.predict(docs_of(PLAIN))
        assert_array_equal(first, kept)


def test_the_least_recently_used_text_is_dropped(tiny_backbone):
    model, cache = cached(tiny_backbone)
    words = [f"word{i}" for i in range(5)]
    model.predict(docs_of(words[0]))
    cache.limit = int(3.5 * cache.info().bytes)
    model.predict(docs_of(*words[1:3]))
    model.predict(docs_of(words[0]))
    model.predict(docs_of(words[3]))
    hits = cache.info().hits
    model.predict(docs_of(words[0], words[2], words[3]))
    assert cache.info().hits == hits + 3
    model.predict(docs_of(words[1]))
    assert cache.info().hits == hits + 3
    assert cache.info().texts == 3
    assert cache.info().bytes <= cache.limit


def test_a_text_larger_than_the_cache_is_not_kept(tiny_backbone):
    model, cache = cached(tiny_backbone)
    model.predict(docs_of("London"))
    cache.limit = 2 * cache.info().bytes
    model.predict(docs_of(LONG))
    assert cache.info().texts == 1
    model.predict(docs_of("London"))
    assert cache.info().hits == 1


def test_there_is_none_by_default(tiny_backbone):
    model = make_encoder(tiny_backbone)
    model.predict(docs_of(PLAIN, PLAIN))
    assert model.shims[1].info() == CacheInfo(0, 0, 0, 0)
    assert CacheInfo(0, 0, 0, 0).hit_rate == 0


def test_less_than_nothing_is_refused(tiny_backbone):
    with pytest.raises(ValueError, match=r"CT013.*cache_mb.*-1"):
        make_encoder(tiny_backbone, cache_mb=-1)


def test_training_takes_nothing_from_it(tiny_backbone):
    model, cache = cached(tiny_backbone)
    model.predict(docs_of(PLAIN))
    vectors, backprop = model.begin_update(docs_of(PLAIN))
    backprop([numpy.ones_like(y) for y in vectors])
    assert any(p.grad is not None for p in model.shims[0].module.parameters())
    assert cache.info()[:2] == (0, 1)


def step(model):
    vectors, backprop = model.begin_update(docs_of(PLAIN))
    backprop([numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in vectors])
    model.finish_update(Adam(0.01))


def test_it_is_never_older_than_the_weights(tiny_backbone, tmp_path):
    model, _ = cached(tiny_backbone, lr_scale=1.0)
    plain = make_encoder(tiny_backbone, lr_scale=1.0)

    def check(what):
        for _ in range(2):
            assert_array_equal(model.predict(docs_of(PLAIN))[0], plain.predict(docs_of(PLAIN))[0], err_msg=what)

    check("as initialized")
    start = plain.to_bytes()
    step(model)
    plain.from_bytes(model.to_bytes())
    check("a step")
    zeros = {
        (model.shims[0].id, n): numpy.zeros(p.shape, "float32") for n, p in model.shims[0].module.named_parameters()
    }
    with model.use_params(zeros):
        assert not model.predict(docs_of(PLAIN))[0].any(), "averages"
    check("averages taken out")
    model.from_bytes(start)
    plain.from_bytes(start)
    check("bytes")
    step(plain)
    plain.shims[0].save(tmp_path / "encoder")
    model.shims[0].load(tmp_path / "encoder")
    check("a folder")


def test_weights_that_change_meanwhile_leave_nothing_behind():
    cache = TextCache(2**20)
    docs = docs_of(PLAIN)

    def encode(missing):
        cache.clear()
        return [numpy.ones((len(doc), 2), "float32") for doc in missing]

    assert cache.get(docs, None, encode)[0].all()
    assert cache.info().texts == 0


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), lambda x: x.copy()])
def test_copies_are_empty_and_of_the_same_size(again, tiny_backbone):
    model, cache = cached(tiny_backbone)
    expected = model.predict(docs_of(PLAIN))
    twin = again(model)
    assert twin.shims[1].info() == CacheInfo(0, 0, 0, 0)
    assert twin.shims[1].limit == cache.limit > 0
    assert_same(twin.predict(docs_of(PLAIN)), expected)
    assert cache.info().texts == 1


def test_what_is_saved_has_nothing_of_it(tiny_backbone):
    model, _ = cached(tiny_backbone)
    before = model.to_bytes()
    expected = model.predict(docs_of(*TEXTS))
    assert model.to_bytes() == before
    assert_same(make_encoder(tiny_backbone).from_bytes(before).predict(docs_of(*TEXTS)), expected)


def test_threads_share_it(tiny_backbone):
    model, cache = cached(tiny_backbone)
    cache.limit = 20_000  # so that texts are dropped all the time
    texts = [" ".join(["Ada"] * n) for n in range(40)]
    expected = make_encoder(tiny_backbone).predict(docs_of(*texts))

    def run(seed):
        order = numpy.random.default_rng(seed).permutation(40)
        for i in [*order, *order]:
            numpy.testing.assert_allclose(model.predict(docs_of(texts[i]))[0], expected[i], atol=1e-5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    info = cache.info()
    assert info.hits + info.misses == 4 * 80
    assert 0 < info.bytes <= cache.limit
