"""What is read off an object is read once, for each object, and forgotten with it."""

import gc

import pytest
from tiny_encoders import PLAIN, docs_of, make_encoder

from spacy_ctxtag.layers.once import once


class Thing:
    pass


def test_each_object_is_read_once_and_not_kept_alive():
    read = []
    look = once(lambda thing: read.append(id(thing)) or len(read))
    one, other = Thing(), Thing()
    assert [look(one), look(other), look(one), look(other)] == [1, 2, 1, 2]
    del one
    gc.collect()
    assert len(look.__closure__[0].cell_contents) == 1


@pytest.mark.backbone
def test_an_encoder_is_read_once_until_another_is_loaded(tiny_backbones):
    model = make_encoder(tiny_backbones["bert"])
    [first] = model.predict(docs_of(PLAIN))
    model.shims[0].module.config.max_position_embeddings = 8  # which nobody looks at any more
    assert (model.predict(docs_of(PLAIN))[0] == first).all()
    expected = make_encoder(tiny_backbones["roberta"]).predict(docs_of(PLAIN))
    model.from_bytes(make_encoder(tiny_backbones["roberta"]).to_bytes())
    assert (model.predict(docs_of(PLAIN))[0] == expected[0]).all()
