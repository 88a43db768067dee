"""Numbers that are none, exploding gradients, and heads that give up: told in runs, with what to do about it."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import HEADS, make_examples, make_pipeline, train
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from test_resume import make, run
from thinc.api import Adam, Config, Linear

from spacy_ctxtag.exceptions import NotFinite
from spacy_ctxtag.training.places import Places, component_of
from spacy_ctxtag.training.train import train as train_run
from spacy_ctxtag.training.watch import Watch, create_watch_weights_v1


class Pipeline:
    """As much of a pipeline as places need: one component, a linear layer."""

    def __init__(self) -> None:
        self.model = Linear(2, 2).initialize()
        self.pipeline = [("lin/ear", self)]


def make_watch(**settings: Any) -> tuple[Watch, Any]:
    pipeline: Any = Pipeline()
    return Watch(Places(pipeline), Adam(0.1), **settings), pipeline.model


def step(watch: Watch, model: Any, gradient: float) -> list[str]:
    """Take a step with this gradient in one place. RETURNS (list[str]): Warnings."""
    model.inc_grad("b", np.array([gradient, 0.0], dtype="f"))
    model.finish_update(watch.optimizer)
    return watch.end_step()


@pytest.mark.parametrize("place", ["ctx_ner/3/W", "ctx_ner/3.0/embeddings.weight"])
def test_component_of_a_place(place: str) -> None:
    assert component_of(place) == "ctx_ner"


def test_watch_passes_gradients_on() -> None:
    watch, model = make_watch()
    step(watch, model, 3.0)
    assert model.get_param("b")[0] == pytest.approx(-0.1, rel=1e-4)
    assert watch.optimizer.learn_rate == 0.1
    watch.optimizer.learn_rate = 0.2
    step(watch, model, 0.0)
    assert watch.end_evaluation({}) == ({"lin/ear": 3.0}, [])
    assert watch.end_evaluation({}) == ({}, [])


@pytest.mark.parametrize("gradient", [math.nan, math.inf])
def test_watch_refuses_gradients_before_they_reach_the_weights(gradient: float) -> None:
    watch, model = make_watch()
    with pytest.raises(NotFinite, match="The gradient of 'lin/ear'"):
        step(watch, model, gradient)
    assert np.isfinite(model.get_param("b")).all()


def test_watch_tells_of_a_gradient_that_is_much_larger_once() -> None:
    watch, model = make_watch(explode=10)
    assert [step(watch, model, 1.0) for _ in range(20)] == [[]] * 20
    assert step(watch, model, 9.0) == []
    [warning] = step(watch, model, 50.0)
    assert "CW600" in warning
    assert "'lin/ear' is 50 times" in warning
    assert step(watch, model, 50.0) == []


def test_watch_tells_nothing_before_it_knows_what_is_usual() -> None:
    watch, model = make_watch(explode=10)
    assert [step(watch, model, value) for value in (0.0, 1.0, 1000.0)] == [[]] * 3


def test_watch_tells_of_a_head_that_gives_up_once() -> None:
    watch, _ = make_watch(collapse_after=2)
    told = [watch.end_evaluation({"ents_collapsed": score})[1] for score in (1.0, 0.0, 1.0, 1.0, 1.0)]
    assert [len(each) for each in told] == [0, 0, 0, 1, 0]
    assert "[CW601] ents: one answer for everything in 2 evaluations" in told[3][0]


def test_watch_goes_on_where_it_was() -> None:
    watch, model = make_watch(explode=10, collapse_after=2)
    for _ in range(20):
        step(watch, model, 1.0)
    watch.end_evaluation({"ents_collapsed": 1.0})
    other, model = make_watch(explode=10, collapse_after=2)
    other.set_training_state(json.loads(json.dumps(watch.training_state())))
    assert len(step(other, model, 50.0)) == 1
    assert len(other.end_evaluation({"ents_collapsed": 1.0})[1]) == 1


# In runs


def test_run_ends_where_a_weight_is_not_a_number(config: Config, tmp_path: Path) -> None:
    spoiled: list[Any] = []

    def spoil(step: int) -> None:
        if step == 4:
            spoiled[0].get_pipe("ctx_ner").model.get_ref("output_layer").get_param("b")[0] = math.nan

    @spacy.registry.callbacks("ctxtag_tests.Spoil.v1")
    def create_spoil() -> Any:
        def update(nlp: Language, info: dict[str, Any]) -> None:
            spoiled.append(nlp)
            spoil(info["step"])

        return update

    config = make(config)
    config["training"]["before_update"] = {"@callbacks": "ctxtag_tests.Spoil.v1"}
    with pytest.raises(NotFinite) as caught:
        train_run(config, tmp_path, stdout=io.StringIO(), stderr=io.StringIO())
    for part in ("CT600", "'ctx_ner' is not a number", "in step 4 (epoch 2, learning rate 0.02)", "The batch: 4 texts"):
        assert part in str(caught.value)
    assert spacy.load(tmp_path / "model-last")("Ada wrote.").text == "Ada wrote."


def test_run_ends_where_a_loss_of_another_component_is_not_a_number(config: Config, tmp_path: Path) -> None:
    class Bad:
        def __call__(self, doc: Any) -> Any:
            return doc

        def update(self, examples: Any, *, losses: dict[str, float], **settings: Any) -> None:
            losses["bad"] = math.inf

    Language.factory("ctxtag_tests_bad_loss", func=lambda nlp, name: Bad())
    config = make(config)
    config["nlp"]["pipeline"] = [*config["nlp"]["pipeline"], "bad"]
    config["components"]["bad"] = {"factory": "ctxtag_tests_bad_loss"}
    with pytest.raises(NotFinite, match=r"CT600. The loss of 'bad'"):
        run(config, tmp_path)


def test_run_tells_of_a_head_that_gives_up(config: Config, tmp_path: Path) -> None:
    told = io.StringIO()
    optimizer = {"@optimizers": "Adam.v1", "learn_rate": 0.0}
    config = make(config, optimizer=optimizer, eval_frequency=1, max_steps=5)
    config["components"]["ctx_ner"]["threshold"] = 1.0  # nothing is found
    train_run(config, tmp_path, stdout=told, stderr=io.StringIO())
    assert told.getvalue().count("[CW601] ents: ") == 1


def test_watch_weights_ends_spacy_train(config: Config) -> None:
    config = make(config)
    config["training"]["before_update"] = {"@callbacks": "spacy-ctxtag.WatchWeights.v1", "every": 2}
    nlp = init_nlp(config)
    nlp.get_pipe("ctx_ner").model.get_ref("output_layer").get_param("b")[0] = math.nan
    with pytest.raises(NotFinite, match=r"CT600. The weight 'ctx_ner/.*in step 0"):
        spacy_train(nlp, stdout=io.StringIO(), stderr=io.StringIO())


@pytest.mark.parametrize("where", ["node", "shim"])
def test_watch_weights_names_the_weight(where: str, tiny_backbone: str) -> None:
    nlp = make_pipeline(HEADS, tiny_backbone)
    train(nlp, make_examples(nlp), steps=0)
    watch = create_watch_weights_v1(every=3)
    watch(nlp, {"step": 3, "epoch": 0})
    model = nlp.get_pipe("ctx_tagger").model
    if where == "node":
        model.get_ref("output_layer").get_param("b")[0] = math.nan
    else:
        encoders = [shim for shim in Places(nlp, ["ctx_ner"]).shims.values() if hasattr(shim, "module")]
        next(encoders[0].module.parameters()).data[0] = math.inf
    watch(nlp, {"step": 4, "epoch": 0})
    with pytest.raises(NotFinite, match=r"CT600. The weight 'ctx_tagger/.*in step 6"):
        watch(nlp, {"step": 6, "epoch": 0})


def test_score_that_counts_and_is_not_there_is_told_once(config: Config, tmp_path: Path) -> None:
    others = dict.fromkeys(("ents_macro_f", "tag_acc", "pos_acc"))
    config = make(config, eval_frequency=1, max_steps=2)
    told = {}
    for ents_f in (0.5, None):
        made = make(config, score_weights={"ents_f": ents_f, "nothing_f": 0.5, "neither_f": 0.0, **others})
        out = io.StringIO()
        train_run(made, tmp_path / str(ents_f), stdout=out)
        told[ents_f] = " ".join(out.getvalue().split())
        assert told[ents_f].count("[CW603]") == 1
        assert "names nothing_f, which" in told[ents_f]
    assert "The others count: ents_f. Scores that there are: " in told[0.5]
    assert "So nothing tells which pipeline is best. Scores that there are: " in told[None]
