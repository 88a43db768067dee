"""`ctx_ner`: how entities are decided, and which others are stored, against enumeration of all analyses."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from ner_oracle import (
    CASES,
    TEXT,
    Analysis,
    Case,
    Found,
    Make,
    cases,
    enumerate_analyses,
    schemes,
    span_probs,
    stored,
    trim,
)
from pipelines import ENTITY_LABELS, PERSON, PLACE, THING, encoder, entities, head, make_examples, make_pipeline
from spacy.tokens import Doc, Span

from spacy_ctxtag.components.ner_decoder import Decoding


def run(make: Make, scheme: str, case: Case, **settings: Any) -> tuple[Doc, dict[Analysis, float]]:
    """RETURNS (tuple): A Doc after ctx_ner, and all its analyses with their probabilities, best first."""
    nlp = make(scheme, within_sentences=bool(case.starts), alternatives=0.05, n_best=7, **settings)
    pipe, doc = nlp.get_pipe("ctx_ner"), case.make(nlp)
    analyses = enumerate_analyses(
        pipe, doc, starts=case.starts, temperature=settings.get("temperature", 1.0), given=case.given(ENTITY_LABELS)
    )
    return nlp(doc), analyses


def whole(case: Case, analysis: Sequence[Found]) -> list[Found]:
    """RETURNS (list): The entities of a Doc: the presets as they were set, and the others of an analysis."""
    given = {trim(case.words.split(), preset) for preset in case.presets}
    return sorted([*case.presets, *(span for span in analysis if span not in given)])


def overlaps(one: Found, other: Found) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def disjoint(spans: Sequence[Found]) -> Iterator[tuple[Found, ...]]:
    """YIELDS (tuple): Every set of spans without overlap."""
    yield ()
    for i, span in enumerate(spans):
        for rest in disjoint([each for each in spans[i + 1 :] if not overlaps(span, each)]):
            yield (span, *rest)


# Which entities are set


@schemes
@cases
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_decode_viterbi_sets_the_best_analysis(
    scheme: str, case: Case, temperature: float, with_settings: Make
) -> None:
    doc, analyses = run(with_settings, scheme, case, temperature=temperature)
    assert entities(doc) == whole(case, next(iter(analyses)))
    probs = span_probs(analyses)
    for found, score in stored(doc).items():
        assert score == pytest.approx(1.0 if found in case.presets else probs[found], abs=1e-9)
    assert set(stored(doc)) == {found for found in entities(doc) if found[2] in ENTITY_LABELS}
    assert doc.spans["ctx_ner"].attrs["temperature"] == temperature


@schemes
@cases
@pytest.mark.parametrize("cost", [0.1, 0.5])
def test_decode_mbr_sets_the_spans_with_the_greatest_gain(
    scheme: str, case: Case, cost: float, with_settings: Make
) -> None:
    doc, analyses = run(with_settings, scheme, case, decode="mbr", mbr_cost=cost)
    probs = {found: prob for found, prob in span_probs(analyses).items() if prob > cost}
    best = max(disjoint(sorted(probs)), key=lambda chosen: sum(probs[found] - cost for found in chosen))
    assert entities(doc) == whole(case, best)
    for found, score in stored(doc).items():
        assert score == pytest.approx(1.0 if found in case.presets else probs[found], abs=1e-9)


@schemes
@cases
def test_decode_mbr_f_sets_the_spans_with_the_greatest_f(scheme: str, case: Case, with_settings: Make) -> None:
    doc, analyses = run(with_settings, scheme, case, decode="mbr_f")
    probs = span_probs(analyses)
    expected = sum(len(analysis) * prob for analysis, prob in analyses.items())
    likely = sorted(found for found, prob in probs.items() if prob > 0.1)

    def f_score(chosen: tuple[Found, ...]) -> float:
        return 2 * sum(probs[found] for found in chosen) / (len(chosen) + expected)

    best = max(disjoint(likely), key=f_score)
    assert f_score(best) > 0.2  # so that none below 0.1 can be in it
    assert entities(doc) == whole(case, best)


def test_decode_differs(with_settings: Make) -> None:
    settings = ({"decode": "viterbi"}, {"decode": "mbr"}, {"decode": "mbr", "mbr_cost": 0.1}, {"decode": "mbr_f"})
    assert len({str(entities(with_settings("BILUO", **each)(TEXT))) for each in settings}) == 4


@pytest.mark.parametrize("decode", ["viterbi", "mbr", "mbr_f"])
@pytest.mark.parametrize("text", ["", " ", "\n\t\n"])
def test_decode_of_nothing_is_nothing(decode: str, text: str, with_settings: Make) -> None:
    nlp = with_settings("BILUO", decode=decode, alternatives=0.05, n_best=3)
    doc = nlp(text)
    assert doc.ents == ()
    assert {key: len(group) for key, group in doc.spans.items()} == {
        "ctx_ner": 0,
        "ctx_ner_alternatives": 0,
        "ctx_ner_best_1": 0,
    }
    assert doc.spans["ctx_ner_best_1"].attrs["probability"] == 1.0


@pytest.mark.parametrize("decode", ["viterbi", "mbr", "mbr_f"])
def test_decode_of_a_batch_equals_single(decode: str, with_settings: Make) -> None:
    nlp = with_settings("BILUO", decode=decode, alternatives=0.05, n_best=3, within_sentences=True)
    docs = [case.make(nlp) for case in CASES.values() if case.starts] * 2
    docs[1:1] = [Doc(nlp.vocab, [], sent_starts=[]), Doc(nlp.vocab, ["\n"], sent_starts=[True])]
    for doc, together in zip([nlp(doc.copy()) for doc in docs], nlp.pipe(docs), strict=True):
        assert entities(together) == entities(doc)
        assert set(together.spans) == set(doc.spans)
        assert together._.ctx_scores == [{**each, "score": pytest.approx(each["score"])} for each in doc._.ctx_scores]


# What else is stored


@schemes
@cases
@pytest.mark.parametrize("how", [{"temperature": 1.0}, {"decode": "mbr", "mbr_cost": 0.5}], ids=["viterbi", "mbr"])
def test_alternatives_are_all_other_probable_spans(
    scheme: str, case: Case, how: dict[str, Any], with_settings: Make
) -> None:
    doc, analyses = run(with_settings, scheme, case, **how)
    chosen = {trim(case.words.split(), found) for found in entities(doc)}
    expected = {found: p for found, p in span_probs(analyses).items() if p >= 0.05 and found not in chosen}
    assert stored(doc, "ctx_ner_alternatives") == pytest.approx(expected, abs=1e-9)
    group = doc.spans["ctx_ner_alternatives"]
    assert [span._.ctx_score for span in group] == group.attrs["scores"]


def test_alternatives_are_left_out_unless_asked_for(with_settings: Make) -> None:
    assert set(with_settings("BIO")("Ada wrote to Charles").spans) == {"ctx_ner"}


@schemes
@cases
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_n_best_are_the_best_analyses(scheme: str, case: Case, temperature: float, with_settings: Make) -> None:
    doc, analyses = run(with_settings, scheme, case, temperature=temperature)
    keys = [f"ctx_ner_best_{rank}" for rank in range(1, 8)]
    assert [key for key in doc.spans if key.startswith("ctx_ner_best_")] == keys[: len(analyses)]
    for key, (analysis, prob) in zip(keys, islice(analyses.items(), 7), strict=False):
        assert [(span.start, span.end, span.label_) for span in doc.spans[key]] == list(analysis)
        assert doc.spans[key].attrs["probability"] == pytest.approx(prob, abs=1e-9)


@pytest.mark.parametrize(("blocked", "expected"), [((), 16), ((0,), 4), ((0, 1), 1)])
def test_n_best_are_all_there_are_if_there_are_fewer(
    blocked: Sequence[int], expected: int, with_settings: Make
) -> None:
    case = Case("Ada Hamburg", starts=(1,), blocked=blocked)
    nlp = with_settings("BILUO", within_sentences=True, n_best=50)
    doc = nlp(case.make(nlp))
    groups = [group for key, group in doc.spans.items() if key.startswith("ctx_ner_best_")]
    assert len(groups) == expected
    assert sum(group.attrs["probability"] for group in groups) == pytest.approx(1.0)


# Thresholds


def test_thresholds_of_a_label_override_the_general_one(with_settings: Make) -> None:
    free = stored(with_settings("BILUO")(TEXT))
    doc = with_settings("BILUO", threshold=0.5, thresholds={PERSON: 0.66, THING: 0.2})(TEXT)
    least = {PERSON: 0.66, THING: 0.2, PLACE: 0.5}
    assert stored(doc) == {found: score for found, score in free.items() if score >= least[found[2]]}
    assert entities(doc) == sorted(stored(doc))
    for label, other in ((PERSON, 0.5), (THING, 0.5), (PLACE, 0.2)):  # each of the three decides something
        low, high = sorted((least[label], other))
        assert any(low <= score < high for found, score in free.items() if found[2] == label)


def test_thresholds_keep_presets(with_settings: Make) -> None:
    nlp = with_settings("BILUO", threshold=1.0, thresholds={PERSON: 1.0})
    doc = nlp(CASES["presets"].make(nlp))
    assert entities(doc) == list(CASES["presets"].presets)


def test_thresholds_turn_dropped_entities_into_alternatives(with_settings: Make) -> None:
    free = stored(with_settings("BILUO")(TEXT))
    plain = with_settings("BILUO", alternatives=0.3)(TEXT)
    doc = with_settings("BILUO", threshold=0.6, alternatives=0.3)(TEXT)
    dropped = {found: score for found, score in free.items() if score < 0.6}
    assert min(dropped.values()) < 0.3 < max(dropped.values())  # one of each
    expected = {**stored(plain, "ctx_ner_alternatives"), **{f: score for f, score in dropped.items() if score >= 0.3}}
    assert stored(doc, "ctx_ner_alternatives") == expected
    assert {found: score for found, score in free.items() if score >= 0.6} == stored(doc)


# Reported scores

MAP = [[0.2, 0.6], [0.1, 0.9]]


def test_score_maps_change_what_is_reported_only(with_settings: Make) -> None:
    settings = {"alternatives": 0.05, "threshold": 0.2}
    plain = with_settings("BILUO", **settings)(TEXT)
    doc = with_settings("BILUO", **settings, score_maps={PERSON: MAP})(TEXT)
    assert entities(doc) == entities(plain)
    for key in ("ctx_ner", "ctx_ner_alternatives"):
        exact = stored(plain, key)
        assert stored(doc, key, "exact") == exact
        assert {found[2] for found in exact} == set(ENTITY_LABELS)
        for found, score in stored(doc, key).items():
            expected = np.clip(0.1 + 2 * (exact[found] - 0.2), 0.1, 0.9) if found[2] == PERSON else exact[found]
            assert score == pytest.approx(expected, abs=1e-12)
    assert "exact" not in plain.spans["ctx_ner"].attrs
    assert [ent._.ctx_score for ent in doc.ents] == list(stored(doc).values())


def test_score_maps_leave_presets_alone(with_settings: Make) -> None:
    nlp = with_settings("BILUO", score_maps={PERSON: [[0.0], [0.5]], PLACE: [[0.0], [0.5]]})
    doc = nlp(CASES["presets"].make(nlp))
    assert stored(doc)[1, 2, PLACE] == 1.0


def test_score_maps_are_saved(with_settings: Make, tmp_path: Path) -> None:
    nlp = with_settings("BIO", score_maps={PERSON: MAP, PLACE: MAP}, thresholds={THING: 0.25})
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert again.get_pipe("ctx_ner").decoding == nlp.get_pipe("ctx_ner").decoding
    assert again("Ada wrote")._.ctx_scores == nlp("Ada wrote")._.ctx_scores


# A second run


def test_second_run_with_other_settings_leaves_no_stale_groups(with_settings: Make) -> None:
    doc = with_settings("BILUO", alternatives=0.05, n_best=5)("Ada wrote to Charles")
    assert len(doc.spans) == 7
    fewer = with_settings("BILUO", n_best=2)(doc)
    assert list(fewer.spans) == ["ctx_ner", "ctx_ner_best_1", "ctx_ner_best_2"]
    assert list(with_settings("BILUO")(fewer).spans) == ["ctx_ner"]


def test_second_run_keeps_groups_of_others(with_settings: Make) -> None:
    doc = with_settings("BILUO", alternatives=0.05, n_best=2)("Ada wrote to Charles")
    doc.spans["ctx_ner_best_of_mine"] = [doc[0:2]]
    doc.spans["ctx_ner_alternatives"] = [doc[1:3]]
    doc.spans["gold"] = [doc[2:3]]
    doc = with_settings("BILUO")(doc)
    assert set(doc.spans) == {"ctx_ner", "ctx_ner_best_of_mine", "ctx_ner_alternatives", "gold"}


# Set at load, and refused


@pytest.fixture(scope="module")
def saved(with_settings: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline on disk of which no setting is the default."""
    path = tmp_path_factory.mktemp("saved")
    settings = {"decode": "mbr_f", "mbr_cost": 0.25, "temperature": 1.5, "alternatives": 0.25, "n_best": 2}
    maps = {"score_maps": {PERSON: MAP}, "thresholds": {PERSON: 0.125}, "threshold": 0.1}
    with_settings("BILUO", **settings, **maps, costs={PERSON: 1.0}).to_disk(path)
    return path


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("decode", "mbr"),
        ("mbr_cost", 0.75),
        ("temperature", 3.0),
        ("alternatives", 0.5),
        ("alternatives", None),
        ("n_best", 4),
        ("thresholds", {PERSON: 0.5}),
    ],
)
def test_load_decoding_settings_win(setting: str, value: Any, saved: Path) -> None:
    plain = spacy.load(saved).get_pipe("ctx_ner").decoding
    pipe = spacy.load(saved, config={f"components.ctx_ner.{setting}": value}).get_pipe("ctx_ner")
    assert getattr(plain, setting) != value
    assert {**vars(plain), setting: value} == vars(pipe.decoding)


@pytest.mark.parametrize("setting", ["thresholds", "score_maps"])
def test_load_setting_of_unknown_label_is_refused(setting: str, saved: Path) -> None:
    value = 0.5 if setting == "thresholds" else MAP
    with pytest.raises(ValueError, match=r"CT409.*nobody"):
        spacy.load(saved, config={f"components.ctx_ner.{setting}": {"nobody": value}})


def test_load_score_map_of_a_label_without_one_wins(saved: Path) -> None:
    pipe = spacy.load(saved, config={f"components.ctx_ner.score_maps.{PLACE}": MAP}).get_pipe("ctx_ner")
    assert pipe.decoding.score_maps == {PERSON: MAP, PLACE: MAP}


def test_load_score_map_of_a_label_wins(saved: Path) -> None:
    other = [[0.0, 1.0], [0.0, 0.5]]
    nlp = spacy.load(saved, config={f"components.ctx_ner.score_maps.{PERSON}": other})
    assert nlp.get_pipe("ctx_ner").decoding.score_maps == {PERSON: other}


def test_load_decoding_settings_are_used(with_settings: Make, tmp_path: Path) -> None:
    with_settings("BILUO").to_disk(tmp_path)
    settings = {"decode": "mbr", "mbr_cost": 0.1, "temperature": 2.0, "alternatives": 0.1, "n_best": 3}
    loaded = spacy.load(tmp_path, config={"components": {"ctx_ner": settings}})(TEXT)
    expected = with_settings("BILUO", **settings)(TEXT)
    assert entities(loaded) == entities(expected) != entities(with_settings("BILUO")(TEXT))
    assert loaded._.ctx_scores == expected._.ctx_scores
    assert list(loaded.spans) == list(expected.spans)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("decode", "beam"),
        ("mbr_cost", 0.0),
        ("mbr_cost", 1.0),
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("alternatives", 0.0),
        ("alternatives", 1.1),
        ("n_best", 0),
        ("thresholds", {PERSON: 1.5}),
        ("score_maps", {PERSON: [[0.0, 1.0]]}),
        ("score_maps", {PERSON: [[0.0, 1.0], [0.0]]}),
        ("score_maps", {PERSON: [[], []]}),
        ("score_maps", {PERSON: [[1.0, 0.0], [0.0, 1.0]]}),
        ("score_maps", {PERSON: [[0.0, 1.0], [0.0, 1.5]]}),
        ("score_maps", {PERSON: [[0.0, 1.0], [0.5, 0.0]]}),
        ("costs", {PERSON: -1.0}),
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.5),
        ("entity_ratio", 1.5),
        ("entity_ratio_margin", -0.5),
        ("entity_ratio_weight", -1.0),
    ],
)
def test_ner_refuses_values_out_of_range(setting: str, value: Any, tiny_backbone: str) -> None:
    with pytest.raises(ValueError, match=rf"CT404.*'ctx_ner': `{setting}` is .*Expected"):
        spacy.blank("en").add_pipe("ctx_ner", config=head("ctx_ner", encoder(tiny_backbone), **{setting: value}))


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"mbr_cost": float("nan")},
        {"alternatives": float("nan")},
        {"thresholds": {PERSON: float("nan")}},
        {"score_maps": {PERSON: [[0.0, float("nan")], [0.0, 1.0]]}},
    ],
)
def test_decoding_refuses_what_is_not_a_number(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CT404"):
        Decoding("ctx_ner", **settings)


@pytest.mark.parametrize(("setting", "value"), [("thresholds", 0.5), ("score_maps", [[0.0], [0.0]]), ("costs", 1.0)])
def test_ner_refuses_settings_of_unknown_labels(setting: str, value: Any, tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone, **{setting: {PERSON: value, "persn": value}})
    with pytest.raises(ValueError, match=rf"CT409.*`{setting}` names the label 'persn'.*{PERSON}, {THING}, {PLACE}"):
        nlp.initialize(lambda: make_examples(nlp))


def test_ner_takes_a_cost_of_outside(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone, costs={"O": 1.0, PLACE: 2.0})
    nlp.initialize(lambda: make_examples(nlp))
    with pytest.raises(ValueError, match="CT409"):
        Decoding("ctx_ner", thresholds={"O": 0.5}).check_labels(ENTITY_LABELS)


def test_ner_settings_do_not_change_spans_given(with_settings: Make) -> None:
    nlp = with_settings("BILUO", decode="mbr", alternatives=0.05, n_best=2)
    doc = nlp.make_doc("Ada wrote to Charles")
    doc.set_ents([Span(doc, 0, 2, PLACE, kb_id="Q7")], default="missing")
    assert nlp(doc).ents[0].kb_id_ == "Q7"
