"""`calibrate`, on tiny models that have learned the corpus of `pipelines` and meet new sentences of the same words."""

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import ENTITY_LABELS, LINES, PERSON, PLACE, make_examples, make_pipeline, make_reference, train, weights
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.calibrate import check_labels, make_sample_of, read_examples
from spacy_ctxtag.evaluation.calibration import Fit, fit, span_probs
from spacy_ctxtag.evaluation.reliability import figures
from spacy_ctxtag.evaluation.thresholds import LabelThreshold
from spacy_ctxtag.training.fingerprint import META_KEY as TRAINED

WORDS = {
    "P": ["Ada/NN-P:per-son", "Charles/NN-P:per-son", "Frau/NN-P:per-son Müller/NN-P:per-son", "Hugo/NN-P:per-son"],
    "L": ["London/NN-P:Örtlichkeit", "Hamburg/NN-P:Örtlichkeit", "Elbe/NN-P:Örtlichkeit", "Cambridge/NN-P:Örtlichkeit"],
    "T": ["Blue/NN-P:some_thing Kettle/NN-P:some_thing", "Old/NN-P:some_thing Iron/NN-P:some_thing"],
}
TEMPLATES = ["{P} wrote/vérb to/a_b {P} in/a_b {L}", "{P} bought/vérb {T} in/a_b {L} ./.", "{L} sold/vérb {T} ./."]
EVERYTHING = ["--maps", "--target-precision", "0.8", "--coverage", "0.7"]


def new_lines(size: int = 40) -> list[str]:
    """Sentences that are not in the corpus, each once."""
    rng, lines = random.Random(0), dict.fromkeys(LINES)
    while len(lines) < len(LINES) + size:
        line = re.sub(r"\{(\w)\}", lambda match: rng.choice(WORDS[match[1]]), rng.choice(TEMPLATES))
        lines.setdefault(line)
    return list(lines)[len(LINES) :]


def write_docs(path: Path, docs: list[Doc]) -> Path:
    DocBin(docs=docs).to_disk(path)
    return path


@pytest.fixture(scope="module")
def model(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    train(nlp, make_examples(nlp))
    folder = tmp_path_factory.mktemp("models") / "ner"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = spacy.blank("en")
    docs = [make_reference(nlp, line) for line in new_lines()]
    return write_docs(tmp_path_factory.mktemp("data") / "dev.spacy", docs)


@pytest.fixture(scope="module")
def calibrated(model: Path, dev: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """RETURNS (tuple): The pipeline with all there is to fit, the folder of the report, what was printed."""
    folder = tmp_path_factory.mktemp("calibrated")
    output = calibrate(model, dev, folder / "model", *EVERYTHING, "--report", folder / "report")
    return folder / "model", folder / "report", output


def calibrate(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["calibrate", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


def entities_of(nlp: Language, dev: Path) -> tuple[list[float], list[bool]]:
    """The probabilities of what a pipeline finds, and whether it is right; what `calibrate` should measure."""
    scores, hits = [], []
    for eg in read_examples(dev, nlp):
        doc, gold = nlp(eg.predicted), {(e.start_char, e.end_char, e.label_) for e in eg.reference.ents}
        scores += [ent._.ctx_score for ent in doc.ents]
        hits += [(ent.start_char, ent.end_char, ent.label_) in gold for ent in doc.ents]
    return scores, hits


# What is written


def test_calibrate_sets_the_temperature_and_nothing_else(model: Path, dev: Path, tmp_path: Path) -> None:
    calibrate(model, dev, tmp_path / "out")
    before, after = spacy.load(model), spacy.load(tmp_path / "out")
    temperature = after.config["components"]["ctx_ner"].pop("temperature")
    assert temperature != before.config["components"]["ctx_ner"].pop("temperature") == 1.0
    assert after.get_pipe("ctx_ner").decoding.temperature == temperature
    config = {**after.config["components"]["ctx_ner"], "temperature": 1.0}
    assert config == {**before.config["components"]["ctx_ner"], "temperature": 1.0}
    assert weights(before) == weights(after)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_calibrate_gives_the_probabilities_that_the_model_has_at_this_temperature(
    model: Path, dev: Path, tmp_path: Path
) -> None:
    calibrate(model, dev, tmp_path / "out")
    after = spacy.load(tmp_path / "out")
    temperature = after.config["components"]["ctx_ner"]["temperature"]
    same = spacy.load(model, config={"components.ctx_ner.temperature": temperature})
    scores, hits = entities_of(after, dev)
    assert scores == pytest.approx(entities_of(same, dev)[0])
    assert hits == entities_of(spacy.load(model), dev)[1]


def test_calibrate_sets_all_that_it_was_asked_for(calibrated: tuple[Path, Path, str]) -> None:
    nlp = spacy.load(calibrated[0])
    config, decoding = nlp.config["components"]["ctx_ner"], nlp.get_pipe("ctx_ner").decoding
    summary = json.loads((calibrated[1] / "calibration.json").read_text(encoding="utf8"))
    fitted = {label: each["threshold"] for label, each in summary["thresholds"].items()}
    assert config["temperature"] == decoding.temperature == summary["temperature"]
    assert config["thresholds"] == decoding.thresholds == {k: v for k, v in fitted.items() if v is not None} != {}
    assert config["score_maps"] == decoding.score_maps == summary["maps"] != {}
    assert config["alternatives"] == decoding.alternatives == summary["coverage"]["threshold"]
    assert summary["coverage"]["is_set"]


def test_calibrate_changes_the_pipeline_in_memory_as_on_disk(
    model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr("spacy_ctxtag.cli.calibrate.save", lambda nlp, path: saved.append(nlp) or nlp.to_disk(path))
    calibrate(model, dev, tmp_path / "out", *EVERYTHING)
    assert saved[0].get_pipe("ctx_ner").decoding == spacy.load(tmp_path / "out").get_pipe("ctx_ner").decoding


def test_calibrate_remembers_in_the_meta(calibrated: tuple[Path, Path, str], model: Path) -> None:
    meta = spacy.load(calibrated[0]).meta
    about = meta["ctx_calibration"]["ctx_ner"]
    assert (about["documents"], about["data"], about["training_texts"]) == (40, "dev.spacy", 0)
    assert set(about["figures"]) == {"before", "after", "cross_validated"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", about["date"])
    assert meta[TRAINED] == spacy.load(model).meta[TRAINED]


def test_calibrate_again_starts_from_the_model_as_trained(
    calibrated: tuple[Path, Path, str], model: Path, dev: Path, tmp_path: Path
) -> None:
    output = calibrate(calibrated[0], dev, tmp_path / "again")
    calibrate(model, dev, tmp_path / "once")
    again, once = (spacy.load(tmp_path / name).config["components"]["ctx_ner"] for name in ("again", "once"))
    assert again["temperature"] == pytest.approx(once["temperature"])
    assert again["score_maps"] == {}
    assert again["thresholds"] == spacy.load(calibrated[0]).config["components"]["ctx_ner"]["thresholds"]
    assert "CW507" in output


# What is measured


def test_calibrate_figures_are_those_of_what_the_pipelines_find(
    calibrated: tuple[Path, Path, str], model: Path, dev: Path
) -> None:
    summary = json.loads((calibrated[1] / "calibration.json").read_text(encoding="utf8"))
    no_thresholds = dict.fromkeys(ENTITY_LABELS, 0.0)
    kept = spacy.load(calibrated[0], config={"components": {"ctx_ner": {"thresholds": no_thresholds}}})
    for name, nlp in (("before", spacy.load(model)), ("after", kept)):
        scores, hits = entities_of(nlp, dev)
        assert summary["found"] == len(scores)
        expected = figures(scores, hits)
        if name == "after":  # scores that are mapped to the edge of a bin may fall on either side of it
            expected = {**summary["figures"][name], **{key: expected[key] for key in ("brier", "log_loss")}}
        assert summary["figures"][name] == pytest.approx(expected)


def test_calibrate_thresholds_do_what_the_report_says(calibrated: tuple[Path, Path, str], dev: Path) -> None:
    nlp, summary = spacy.load(calibrated[0]), json.loads((calibrated[1] / "calibration.json").read_text("utf8"))
    assert_precision_is_reported(nlp, summary, dev, 0.8)


def assert_precision_is_reported(nlp: Language, summary: dict[str, Any], dev: Path, target: float) -> None:
    kept: dict[str, list[bool]] = {label: [] for label in ENTITY_LABELS}
    for eg in read_examples(dev, nlp):
        gold = {(e.start_char, e.end_char, e.label_) for e in eg.reference.ents}
        for ent in nlp(eg.predicted).ents:
            kept[ent.label_].append((ent.start_char, ent.end_char, ent.label_) in gold)
    for label, each in summary["thresholds"].items():
        assert each["precision"] == pytest.approx(np.mean(kept[label]))
        assert each["threshold"] is None or each["precision"] >= target
    assert any(each["threshold"] for each in summary["thresholds"].values())


def test_calibrate_measures_what_is_set_where_the_temperature_changes_it(
    model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spacy_ctxtag.evaluation.calibration.fit_temperature", lambda loss: 3.0)
    decode = {"components": {"ctx_ner": {"decode": "mbr", "mbr_cost": 0.2}}}
    spacy.load(model, config=decode).to_disk(tmp_path / "model")
    said = calibrate(tmp_path / "model", dev, tmp_path / "out", "--target-precision", 0.9, "--report", tmp_path)
    summary = json.loads((tmp_path / "calibration.json").read_text(encoding="utf8"))
    no_thresholds = {"components": {"ctx_ner": {"thresholds": dict.fromkeys(ENTITY_LABELS, 0.0)}}}
    for when, nlp in (
        ("_before", spacy.load(tmp_path / "model")),
        ("", spacy.load(tmp_path / "out", config=no_thresholds)),
    ):
        _, hits = entities_of(nlp, dev)
        assert (summary[f"found{when}"], summary[f"right{when}"]) == (len(hits), sum(hits))
    assert summary["found"] != summary["found_before"]
    assert f"finds {summary['found_before']}." in said
    kept = spacy.load(tmp_path / "out")
    assert len(entities_of(kept, dev)[0]) < summary["found"]
    assert_precision_is_reported(kept, summary, dev, 0.9)


def test_calibrate_stores_what_the_coverage_promises(calibrated: tuple[Path, Path, str], dev: Path) -> None:
    nlp = spacy.load(calibrated[0])
    least, found, total, stored = nlp.get_pipe("ctx_ner").decoding.alternatives, 0, 0, 0
    for eg in read_examples(dev, nlp):
        doc = nlp(eg.predicted)
        groups = [doc.spans["ctx_ner"], doc.spans["ctx_ner_alternatives"]]
        spans = {
            (span.start_char, span.end_char, span.label_)
            for group in groups
            for span, exact in zip(group, group.attrs.get("exact", group.attrs["scores"]), strict=True)
            if exact >= least
        }
        gold = {(e.start_char, e.end_char, e.label_) for e in eg.reference.ents}
        found, total, stored = found + len(gold & spans), total + len(gold), stored + len(spans)
    about = nlp.meta["ctx_calibration"]["ctx_ner"]["coverage"]
    assert about["target"] == pytest.approx(0.7)
    assert found + 1 >= 0.7 * total  # the threshold is the score of an entity: rounding may drop it
    assert about["spans_per_entity"] == pytest.approx(stored / total, abs=1.5 / total)
    assert 0.5 < about["cross_validated"] <= 1


def test_calibrate_prints_what_it_found(calibrated: tuple[Path, Path, str]) -> None:
    output = calibrated[2]
    assert "40 documents" in output
    assert re.search(r"Temperature \d+\.\d{3} \(\d", output)
    assert re.search(r"entities found +before +after +cross-validated", output)
    assert len(re.findall(r"(?m)^(?:calibration error|  in bins|Brier|log-loss).* 0\.\d{4} +\d", output)) == 4
    assert all(re.search(rf"(?m)^{label} .*→.*→", output) for label in ENTITY_LABELS)
    assert "Coverage 70%" in output
    assert "expect this on new texts" in output


def test_calibrate_works_with_a_shared_encoder(tiny_backbone: str, dev: Path, tmp_path: Path) -> None:
    nlp = make_pipeline(["ctx_ner", "ctx_tagger"], tiny_backbone, shared=True)
    train(nlp, make_examples(nlp), steps=15)
    nlp.to_disk(tmp_path / "joint")
    calibrate(tmp_path / "joint", dev, tmp_path / "out", "--report", tmp_path)
    summary = json.loads((tmp_path / "calibration.json").read_text(encoding="utf8"))
    scores, hits = entities_of(spacy.load(tmp_path / "joint"), dev)
    assert summary["figures"]["before"] == pytest.approx(figures(scores, hits))
    assert spacy.load(tmp_path / "out").pipe_names == nlp.pipe_names


def test_calibrate_finds_a_component_by_its_name(tiny_backbone: str, dev: Path, tmp_path: Path) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    train(nlp, make_examples(nlp), steps=15)
    nlp.rename_pipe("ctx_ner", "names")
    nlp.to_disk(tmp_path / "model")
    assert "'ctx_ner'" in calibrate(tmp_path / "model", dev, tmp_path / "out", fails="CT509")
    calibrate(tmp_path / "model", dev, tmp_path / "out", "--component", "names")
    assert spacy.load(tmp_path / "out").config["components"]["names"]["temperature"] != 1.0


@pytest.mark.parametrize("objective", ["sequences", "entities"])
def test_calibrate_passes_every_option_on(
    objective: str, model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(
        "spacy_ctxtag.evaluation.calibration.fit", lambda sample, options: taken.append(options) or fit(sample, options)
    )
    calibrate(model, dev, tmp_path / "out", "--objective", objective, *EVERYTHING)
    assert set(taken) == {(objective, True, 0.8, 0.7)}


def test_calibrate_imports_code(model: Path, dev: Path, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("raise ValueError('it was imported')")
    assert "it was imported" in calibrate(model, dev, tmp_path / "out", "--code", tmp_path / "code.py", fails="code")


# What is not known


def test_make_sample_of_counts_what_is_annotated_only(model: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    docs = [make_reference(nlp, line) for line in new_lines(4)]
    whole = make_sample_of(nlp, "ctx_ner", read_examples(write_docs(tmp_path / "a.spacy", docs), nlp))
    for doc in docs[1:]:
        first = doc.ents[0]
        doc.set_ents([], missing=[doc[first.end :]], default="unmodified")  # the first entity and what is before stay
    part = make_sample_of(nlp, "ctx_ner", read_examples(write_docs(tmp_path / "b.spacy", docs), nlp))
    assert part.gold[0] == whole.gold[0]
    assert part.gold[1:] == [gold[:1] for gold in whole.gold[1:]]
    for found, gold, all_found in zip(part.found[1:], part.gold[1:], whole.found[1:], strict=True):
        assert found == [span for span in all_found if span[1] <= gold[0][1]]


def test_make_sample_of_puts_documents_of_one_text_together(model: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    docs = [make_reference(nlp, line) for line in [*new_lines(2), new_lines(1)[0]]]
    sample = make_sample_of(nlp, "ctx_ner", read_examples(write_docs(tmp_path / "a.spacy", docs), nlp))
    assert sample.groups.tolist() == [0, 1, 0]
    assert len(span_probs(sample.chains, sample.grammar, sample.gold)) == sum(sample.n_gold.values())


def test_calibrate_names_labels_that_it_knows_nothing_of(model: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    docs = [make_reference(nlp, line) for line in new_lines(8)]
    for doc in docs:
        ents = [Span(doc, ent.start, ent.end, "other" if ent.label_ == PERSON else ent.label_) for ent in doc.ents]
        doc.set_ents(ents, default="outside")
    output = calibrate(model, write_docs(tmp_path / "dev.spacy", docs), tmp_path / "out")
    assert f"no entity of {PERSON}," in re.search(r"\[CW504\].*", output)[0]
    assert "entities of other," in re.search(r"\[CW505\].*", output)[0]


def test_calibrate_counts_entities_that_are_not_on_tokens(model: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    docs = [Doc(nlp.vocab, ["Ada", "sold", "x", name], spaces=[True, True, False, False]) for name in ("Ada", "Bob")]
    for doc in docs:
        doc.set_ents([Span(doc, 0, 1, PERSON), Span(doc, 2, 3, PLACE)])
    output = calibrate(model, write_docs(tmp_path / "dev.spacy", docs), tmp_path / "out")
    about = spacy.load(tmp_path / "out").meta["ctx_calibration"]["ctx_ner"]
    assert (about["entities"], about["left_out"]) == (2, 2)
    assert "2 entities of" in re.search(r"\[CW506\].*", output)[0]


@pytest.mark.parametrize("size", [1, 3])
def test_calibrate_says_when_nothing_is_cross_validated(model: Path, tmp_path: Path, size: int) -> None:
    nlp = spacy.blank("en")
    docs = [make_reference(nlp, line) for line in new_lines(1) * size]
    output = calibrate(
        model, write_docs(tmp_path / "a.spacy", docs), tmp_path / "out", *EVERYTHING, "--report", tmp_path
    )
    assert "CW502" in output
    assert "cross_validated" not in json.loads((tmp_path / "calibration.json").read_text(encoding="utf8"))["figures"]


def test_calibrate_does_not_store_spans_where_the_coverage_excludes_none(
    model: Path, dev: Path, tmp_path: Path
) -> None:
    output = calibrate(model, dev, tmp_path / "out", "--coverage", "0.9999")
    assert "CW509" in output
    nlp = spacy.load(tmp_path / "out")
    assert nlp.config["components"]["ctx_ner"]["alternatives"] is None
    assert nlp.meta["ctx_calibration"]["ctx_ner"]["coverage"]["threshold"] == 0.0


def test_calibrate_says_that_figures_are_of_the_best_path(model: Path, dev: Path, tmp_path: Path) -> None:
    spacy.load(model, config={"components.ctx_ner.decode": "mbr_f"}).to_disk(tmp_path / "model")
    assert "decodes by mbr_f" in calibrate(tmp_path / "model", dev, tmp_path / "out")


def test_calibrate_says_when_the_temperature_is_at_an_edge(
    model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spacy_ctxtag.evaluation.calibration.fit_temperature", lambda loss: 0.05)
    assert "CW503" in calibrate(model, dev, tmp_path / "out")


# What is refused


def test_calibrate_refuses_training_texts(model: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    docs = [make_reference(nlp, line) for line in [*new_lines(6), LINES[0], LINES[2]]]
    path = write_docs(tmp_path / "dev.spacy", docs)
    assert "2 of 8 texts" in calibrate(model, path, tmp_path / "out", fails="CT507")
    assert not (tmp_path / "out").exists()
    assert "CW500" in calibrate(model, path, tmp_path / "out", "--force")
    assert spacy.load(tmp_path / "out").meta["ctx_calibration"]["ctx_ner"]["training_texts"] == 2


def test_calibrate_says_when_training_texts_are_not_known(model: Path, dev: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    del nlp.meta[TRAINED]
    nlp.to_disk(tmp_path / "model")
    assert "CW501" in calibrate(tmp_path / "model", dev, tmp_path / "out")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--objective", "tokens"), ("--target-precision", "95"), ("--coverage", "1"), ("--coverage", "0")],
)
def test_calibrate_refuses_wrong_settings(model: Path, dev: Path, tmp_path: Path, option: str, value: str) -> None:
    assert value in calibrate(model, dev, tmp_path / "out", option, value, fails="CT304")


def test_calibrate_refuses_what_is_no_model(dev: Path, tmp_path: Path) -> None:
    calibrate(tmp_path / "none", dev, tmp_path / "out", fails="CT513")


def test_calibrate_lists_what_is_wrong_with_the_data(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.inline").write_text("# doc = a\nx]\n\n# doc = b\n[LOC y\n")
    output = calibrate(model, tmp_path / "bad.inline", tmp_path / "out", fails="2 errors")
    assert ("CT319" in output, "CT321" in output) == (True, True)
    calibrate(model, tmp_path / "none.spacy", tmp_path / "out", fails="CT305")


def test_calibrate_refuses_data_without_entities(model: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    path = write_docs(tmp_path / "dev.spacy", [nlp("Nothing is here."), make_reference(nlp, "nothing/noun")])
    calibrate(model, path, tmp_path / "out", fails="CT510")


def test_calibrate_does_not_overwrite_other_things(model: Path, dev: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    calibrate(model, dev, tmp_path, "--force", fails="CT508")
    calibrate(model, dev, tmp_path / "notes.txt", "--force", fails="CT508")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_calibrate_replaces_the_model_itself_only_if_forced(model: Path, dev: Path, tmp_path: Path) -> None:
    spacy.load(model).to_disk(tmp_path / "model")
    calibrate(tmp_path / "model", dev, tmp_path / "model", fails="CT508")
    calibrate(tmp_path / "model", dev, tmp_path / "model", "--force")
    assert spacy.load(tmp_path / "model").config["components"]["ctx_ner"]["temperature"] != 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_calibrate_replaces_another_pipeline_as_a_whole(model: Path, dev: Path, tmp_path: Path) -> None:
    spacy.blank("de").to_disk(tmp_path / "out")
    (tmp_path / "out" / "stale").write_text("")
    calibrate(model, dev, tmp_path / "out")
    assert spacy.load(tmp_path / "out").lang == "en"
    assert not (tmp_path / "out" / "stale").exists()


def test_calibrate_leaves_the_old_pipeline_where_writing_fails(
    model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spacy.blank("de").to_disk(tmp_path / "out")
    monkeypatch.setattr(Language, "to_disk", lambda *args, **kwargs: 1 / 0)
    result = CliRunner().invoke(app, ["calibrate", str(model), str(dev), str(tmp_path / "out")])
    assert isinstance(result.exception, ZeroDivisionError)
    assert spacy.load(tmp_path / "out").lang == "de"


@pytest.mark.parametrize("kind", ["thresholds", "maps"])
@pytest.mark.parametrize(
    ("label", "is_lost"), [("a:b", True), ("x=y", True), ("A.B", False), ("some thing", False), ("Ört-lich", False)]
)
def test_check_labels_refuses_what_a_config_would_lose(
    label: str, is_lost: bool, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    threshold = LabelThreshold(0.5, 1.0, 1.0, 1.0, 1.0, 20)
    result = Fit(thresholds={label: threshold}) if kind == "thresholds" else Fit(maps={label: [[0.0], [0.5]]})
    if is_lost:
        with pytest.raises(SystemExit):
            check_labels(result)
        output = capsys.readouterr().out
        assert ["CT512" in output, repr(label) in output] == [True, True]
        assert ("--maps" in output, "--target-precision" in output) == (kind == "maps", kind == "thresholds")
    else:
        check_labels(result)


# The report


def test_calibrate_report_has_the_table_and_the_plot(calibrated: tuple[Path, Path, str]) -> None:
    folder = calibrated[1]
    assert (folder / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "reliability.svg").read_text(encoding="utf8")
    summary = json.loads((folder / "calibration.json").read_text(encoding="utf8"))
    for name in ("before", "after", "cross_validated"):
        bins = summary["reliability"][name]
        assert len(bins) == 15
        assert sum(each["n"] for each in bins) == summary["found"]
        error = sum(each["n"] * abs(each["mean_prob"] - each["share_right"]) for each in bins if each["n"])
        assert error / summary["found"] == pytest.approx(summary["figures"][name]["ece"])
        assert all((each["mean_prob"] is None) == (each["n"] == 0) for each in bins)


def test_calibrate_report_needs_matplotlib_and_says_so_at_once(
    model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    output = calibrate(model, dev, tmp_path / "out", "--report", tmp_path / "report", fails="CT511")
    assert "spacy-ctxtag[plots]" in output
    assert list(tmp_path.iterdir()) == []
    calibrate(model, dev, tmp_path / "out")
