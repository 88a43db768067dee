"""Rows some at a time: as all at once, whatever the Docs' lengths."""

import numpy
import pytest
from thinc.api import LayerNorm, Maxout, chain

from spacy_ctxtag.layers import in_cache
from spacy_ctxtag.layers.hstack import hstack
from spacy_ctxtag.layers.in_cache import predict_in_cache


@pytest.mark.parametrize("lengths", [[5], [3, 0, 4, 0], [10, 0], [0, 0, 2], [4, 4, 4], [0, 9, 1, 0, 0, 11]])
def test_equals_all_at_once(lengths, monkeypatch):
    monkeypatch.setattr(in_cache, "ROWS", 4)
    rng = numpy.random.default_rng(0)
    outputs = [[rng.normal(size=(length, width)).astype("float32") for length in lengths] for width in (3, 2)]
    mix = chain(hstack(), Maxout(6, nP=3), LayerNorm(6))
    mix.initialize(X=[numpy.zeros((1, 3), dtype="float32"), numpy.zeros((1, 2), dtype="float32")])
    found = predict_in_cache(mix, outputs)
    expected = mix.predict([numpy.concatenate(vectors) for vectors in outputs])
    assert [rows.shape for rows in found] == [(length, 6) for length in lengths]
    numpy.testing.assert_allclose(numpy.concatenate(found), expected, atol=1e-5)
