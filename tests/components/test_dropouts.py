"""Word dropout and locked dropout in a head: it learns with them, and predicts without."""

from pathlib import Path

import pytest
import spacy
from pipelines import HEADS, LISTENER, annotation, encoder, head, make_examples, parameters, train
from thinc.api import Model

RATES = {"word_dropout": 0.1, "locked_dropout": 0.1}


def make(kind: str, backbone: str, *, shared: bool = False, small: bool = True, **rates: float) -> spacy.Language:
    """RETURNS (Language): A pipeline with one head whose features drop out at these rates."""
    nlp = spacy.blank("en")
    if shared:
        nlp.add_pipe("ctx_encoder", config={"model": encoder(backbone, width=LISTENER["width"])})
    config = head(kind, LISTENER if shared else encoder(backbone), small=small)
    config["model"]["tok2vec"].update(rates)
    nlp.add_pipe(kind, config=config)
    return nlp


@pytest.mark.backbone
@pytest.mark.parametrize("small", [True, False], ids=["features", "encoder alone"])
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize("kind", HEADS)
def test_head_learns_by_heart_and_is_loaded_with_dropouts(
    kind: str, shared: bool, small: bool, tiny_backbone: str, tmp_path: Path
) -> None:
    nlp = make(kind, tiny_backbone, shared=shared, small=small, **RATES)
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    expected = [annotation(kind, eg.reference) for eg in examples]
    assert [annotation(kind, nlp(eg.predicted.copy())) for eg in examples] == expected
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert [annotation(kind, loaded(eg.predicted.copy())) for eg in examples] == expected


def test_rates_of_zero_leave_the_model_as_it_is(tiny_backbone: str) -> None:
    def names(model: Model) -> list[str]:
        return [node.name for node in model.walk()]

    plain, zero, with_rates = (
        make("ctx_ner", tiny_backbone, **rates).get_pipe("ctx_ner").model
        for rates in ({}, dict.fromkeys(RATES, 0.0), RATES)
    )
    assert names(plain) == names(zero)
    assert {"word_dropout", "locked_dropout"} == set(names(with_rates)) & {"word_dropout", "locked_dropout"}


def test_same_seed_gives_the_same_weights_with_dropouts(tiny_backbone: str) -> None:
    found = []
    for _ in range(2):
        nlp = make("ctx_ner", tiny_backbone, **RATES)
        train(nlp, make_examples(nlp), steps=2)
        found.append([values.tobytes() for _, values in parameters(nlp)])
    assert found[0] == found[1]
