"""A card: front matter that a YAML parser reads, a body that nothing breaks, meta for spaCy's fields, one package."""

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from card_helpers import (
    HOSTILE,
    LABELS,
    front_matter,
    make_manifest,
    make_report,
    make_spans,
    make_tags,
    scores,
    write,
)
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from spacy.cli.package import package

from spacy_ctxtag.components.span_scores import register_extensions
from spacy_ctxtag.operate.card import Card, Speed, make_card
from spacy_ctxtag.operate.card_input import MARKER, Notes, check, read_kept, read_manifest, read_notes, read_report
from spacy_ctxtag.operate.markdown import one_line

ROOT = Path(__file__).parents[2]
NOTES = Notes(
    description="Finds | words",
    intended_use=["# For tests"],
    out_of_scope=["- anything else"],
    limits=["It knows <b>four</b> words."],
    labels={"PERSON": "a | person", HOSTILE: HOSTILE},
    data={"train": {"name": "Words", "url": "https://example.org/words", "licence": "CC0-1.0", "about": "made up"}},
    sources=[{"name": "Wörterbuch", "author": "Ada", "license": "MIT"}],
)


@pytest.fixture(scope="module")
def card(model: Path) -> Card:
    return make_card(model, make_report(), notes=NOTES, licence="CC BY-SA 4.0")


def tables(card: Card) -> list[list[list[str]]]:
    """RETURNS (list): The tables of the body, their rows, and what a reader sees in the cells."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(card.readme.split("---\n", 2)[2]):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            found[-1][-1].append("")
        elif token.type == "inline" and token.level > 3:
            found[-1][-1][-1] = "".join(child.content for child in token.children or () if child.type != "html_inline")
    return found


# Front matter


def test_card_front_matter_is_read_by_a_yaml_parser(card: Card) -> None:
    front = front_matter(card.readme)
    assert {key: front[key] for key in ("language", "license", "library_name", "tags")} == {
        "language": "en",
        "license": "cc-by-sa-4.0",
        "library_name": "spacy",
        "tags": ["spacy", "token-classification"],
    }
    [results] = front["model-index"]
    assert results["name"] == "en_finder"
    [result] = results["results"]
    assert result["task"]["type"] == "token-classification"
    assert result["dataset"] == {"name": "test_set.spacy", "type": "test_set-spacy", "split": "test"}
    assert {metric["name"]: metric["value"] for metric in result["metrics"]} == {
        "ents precision": 0.8,
        "ents recall": 0.8,
        "ents f1": 0.8,
        "pos accuracy": 0.95,
    }


def test_card_front_matter_is_read_by_the_hubs_own_library(card: Card) -> None:
    data = ModelCard(card.readme).data
    assert data.eval_results is not None
    assert [result.metric_type for result in data.eval_results] == ["precision", "recall", "f1", "accuracy"]


@pytest.mark.parametrize(
    ("licence", "expected"),
    [("MIT", ("mit", None)), ("Our own: 1", ("other", "our-own:-1")), ("", (None, None))],
)
def test_card_licence_is_one_that_the_hub_knows_or_another(model: Path, licence: str, expected: Any) -> None:
    front = front_matter(make_card(model, make_report(), licence=licence).readme)
    assert (front.get("license"), front.get("license_name")) == expected


def test_card_of_any_language_is_multilingual(tmp_path: Path) -> None:
    nlp = spacy.blank("xx", meta={"name": "finder", "version": "1.2.3"})
    nlp.to_disk(tmp_path / "model")
    model = {**make_report()["model"], "lang": "xx", "name": "xx_finder", "pipeline": [], "labels": {}}
    found = make_card(tmp_path / "model", make_report(model=model))
    assert front_matter(found.readme)["language"] == "multilingual"
    assert "Entities and parts of speech for MultiLanguage" in found.readme


# Body


def test_card_body_shows_hostile_labels_and_texts_as_they_are(card: Card) -> None:
    head, data, ents, pos, *_ = tables(card)
    assert [row[0] for row in ents[1:]] == ["all", "mean of the labels", *map(one_line, LABELS)]
    assert {len(row) for row in ents} == {6}
    assert ents[-1][1] == one_line(HOSTILE)
    assert ["Author", "Ada <L>"] in head
    assert [row[0] for row in data] == ["", "train", "test"]
    assert pos[0] == ["label", "meaning", "precision", "recall", "F", "in test"]
    assert "<script>" not in card.readme
    assert "\u202e" not in card.readme


def test_card_body_has_no_headings_but_its_own(card: Card) -> None:
    tokens = MarkdownIt("commonmark").parse(card.readme.split("---\n", 2)[2])
    found = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    assert found == [
        "en_finder 1.2.3",
        "Intended use",
        "Use it",
        "Data",
        "Scores",
        "Entities",
        "Parts of speech",
        "Calibration",
        "Limits",
        "Speed",
        "Training",
        "Licence and sources",
        "Notes",
    ]


def test_card_speaks_of_intervals_and_sentences_only_where_there_are_some(model: Path, card: Card) -> None:
    assert "with 95 % intervals" in card.readme
    bare = {"intervals": dict.fromkeys(("precision", "recall", "f1"))}
    averages = {key: {**scores(0.8), **bare} for key in make_spans()["averages"]}
    labels = [{**label, **bare} for label in make_spans()["labels"]]
    data = {**make_report()["data"], "documents": 1, "sentences": 1}
    missing = [{"analysis": "sentence_length", "reason": "sentences are not annotated"}]
    spans = make_spans(averages=averages, labels=labels, breakdowns=[], unavailable=missing)
    one = make_report(data=data, components=[spans])
    found = make_card(model, one).readme
    assert "On the test data, in percent. A span" in found
    assert "70.0 % of 200 documents are without a mistake." in found


def test_card_shows_scores_with_intervals_and_meanings(card: Card) -> None:
    assert "| `PERSON` | a &#124; person | 90.0 (85.0 to 95.0) |" in card.readme
    assert "| `NOUN` | noun | 95.0" in card.readme
    assert "70.0 % of 200 sentences are without a mistake." in card.readme
    assert "| Entities | 243 | 87.5 | 84.0 | 4.5 | 0.098 |" in card.readme


def test_card_does_not_show_the_folders_of_a_machine(card: Card) -> None:
    assert "somebody" not in card.readme


def test_card_tells_how_to_load_what_will_be_packaged(model: Path) -> None:
    found = make_card(model, make_report(), name="demo", version="2.0.0").readme
    assert "pip install en_demo-2.0.0-py3-none-any.whl" in found
    assert "spacy.load('en_demo')" in found


def test_card_example_of_use_runs(model: Path, card: Card) -> None:
    code = card.readme.split("```python\n")[1].split("```")[0].replace("'en_finder'", repr(str(model)))
    spans = make_spans(id="spans:it's", attribute='doc.spans["it\'s"]')
    other = make_card(model, make_report(components=[spans, make_tags()])).readme
    key = other.split("```python\n")[1].split("```")[0]
    assert 'for span in doc.spans["it\'s"]:' in key
    register_extensions()
    exec(compile(code, "card", "exec"), {})


def test_card_speed_is_that_of_the_report_or_a_measured_one(model: Path, card: Card) -> None:
    assert "3,003 words per second in the evaluation, on `cpu`, beside" in card.readme
    found = make_card(model, make_report(), speed=Speed(5134.0, "A CPU, 1 threads", 22_700_000))
    assert "5,134 words per second on A CPU, 1 threads, measured when" in found.readme
    assert "22,700,000 parameters" in found.readme
    assert found.meta["performance"]["speed"] == 5134.0


def test_card_tells_what_a_component_was_calibrated_on(model: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    nlp.meta["ctx_calibration"] = {"entity_ruler": {"data": "/home/somebody/dev.spacy", "temperature": 1.25}}
    nlp.to_disk(tmp_path)
    assert "`entity_ruler` was calibrated on `dev.spacy`, with a temperature of 1.250." in (
        make_card(tmp_path, make_report()).readme
    )


# Meta and package


def test_card_fills_what_meta_has_fields_for(card: Card, model: Path) -> None:
    before = json.loads((model / "meta.json").read_text(encoding="utf8"))
    assert card.meta["description"] == "Finds | words"
    assert card.meta["license"] == "CC BY-SA 4.0"
    assert card.meta["sources"] == [
        {"name": "Old | corpus"},
        {"name": "Words", "url": "https://example.org/words", "license": "CC0-1.0"},
        {"name": "Wörterbuch", "author": "Ada", "license": "MIT"},
    ]
    performance = card.meta["performance"]
    assert {key: performance[key] for key in ("ents_p", "ents_r", "ents_f", "pos_acc", "speed")} == {
        "ents_p": 0.8,
        "ents_r": 0.8,
        "ents_f": 0.8,
        "pos_acc": 0.95,
        "speed": 3003.4,
    }
    assert performance["ents_per_type"][HOSTILE] == {"p": 0.6, "r": 0.6, "f": 0.6}
    changed = {"description", "license", "sources", "performance", "ctx_card"}
    assert {key: value for key, value in card.meta.items() if key not in changed} == {
        key: value for key, value in before.items() if key not in changed
    }


def test_card_written_again_replaces_what_it_has_said(model: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    nlp.to_disk(tmp_path)
    for name, content in make_card(tmp_path, make_report(), notes=NOTES, licence="MIT").files().items():
        (tmp_path / name).write_text(content, encoding="utf8")
    found = make_card(tmp_path, make_report())
    assert found.meta["description"] == "Entities and parts of speech for English, by spacy-ctxtag"
    assert found.meta["sources"] == [{"name": "Old | corpus"}]
    assert found.meta["license"] == "MIT"


def test_card_leaves_a_description_of_others(model: Path, tmp_path: Path) -> None:
    nlp = spacy.load(model)
    nlp.meta["description"] = "By hand"
    nlp.to_disk(tmp_path)
    for _ in range(2):
        found = make_card(tmp_path, make_report())
        assert found.meta["description"] == "By hand"
        write(tmp_path / "meta.json", found.meta)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that spaCy leaves open
def test_card_is_the_readme_of_the_package(card: Card, model: Path, tmp_path: Path) -> None:
    spacy.load(model).to_disk(tmp_path / "model")
    for name, content in card.files().items():
        (tmp_path / "model" / name).write_text(content, encoding="utf8")
    (tmp_path / "out").mkdir()
    package(tmp_path / "model", tmp_path / "out", create_sdist=False, create_wheel=False, silent=True)
    folder = tmp_path / "out" / "en_finder-1.2.3"
    inner = folder / "en_finder" / "en_finder-1.2.3"
    assert (folder / "README.md").read_text(encoding="utf8") == card.readme
    assert (inner / "README.md").read_text(encoding="utf8") == card.readme
    meta = json.loads((folder / "meta.json").read_text(encoding="utf8"))
    assert {key: meta[key] for key in ("description", "license", "sources", "performance")} == {
        key: card.meta[key] for key in ("description", "license", "sources", "performance")
    }
    assert [ent.label_ for ent in spacy.load(inner)("word3").ents] == [HOSTILE]


# Input


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"name": "en_other"}, "name"),
        ({"version": "1.2.4"}, "version"),
        ({"lang": "de", "name": "de_finder"}, "lang"),
        ({"pipeline": ["ctx_ner"]}, "pipeline"),
        ({"labels": {"entity_ruler": LABELS[:-1]}}, "labels"),
        ({"labels": {"entity_ruler": LABELS, "ctx_ner": ["A"]}}, "labels"),
    ],
)
def test_card_refuses_the_report_of_another_pipeline(model: Path, change: dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match=rf"CT781.*its {key} is"):
        make_card(model, make_report(model={**make_report()["model"], **change}))


def test_card_refuses_the_manifest_of_another_pipeline(model: Path, train: Path) -> None:
    config = {"nlp": {"lang": "en", "pipeline": ["ctx_ner"]}, "paths": {}}
    with pytest.raises(ValueError, match=r"CT781.*The manifest"):
        make_card(model, make_report(), manifest=make_manifest(train, config=config))


def test_check_takes_a_name_with_or_without_the_language() -> None:
    meta = {"lang": "en", "name": "en_finder", "version": "1.2.3", "pipeline": ["entity_ruler"]}
    meta["labels"] = {"entity_ruler": LABELS[::-1], "hidden": ["A"]}
    check(meta, {}, make_report())


def test_card_refuses_a_folder_that_is_no_pipeline(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CT784"):
        make_card(tmp_path, make_report())


@pytest.mark.parametrize(
    ("content", "problem"),
    [("{", "Expecting"), ("[]", "it lacks"), ("{}", "it lacks"), ('{"a": 1}', "it lacks"), ("\udcff", "")],
)
def test_read_report_and_manifest_refuse_other_files(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "x.json").write_bytes(content.encode("utf8", "surrogateescape"))
    for read in (read_report, read_manifest):
        with pytest.raises(ValueError, match=f"CT780.*{problem}"):
            read(tmp_path / "x.json")
        with pytest.raises(ValueError, match="CT780"):
            read(tmp_path / "missing.json")


def test_read_report_refuses_another_schema(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"CT780.*schema_version is 2, not 1"):
        read_report(write(tmp_path / "x.json", make_report(schema_version=2)))
    assert read_report(write(tmp_path / "x.json", make_report())) == make_report()


def test_read_notes_takes_texts_and_lists(tmp_path: Path) -> None:
    (tmp_path / "notes.yml").write_text(
        "intended_use: News.\nlimits: [a, b]\nlabels: {PERSON: people}\n", encoding="utf8"
    )
    assert read_notes(tmp_path / "notes.yml") == Notes(
        intended_use=["News."], limits=["a", "b"], labels={"PERSON": "people"}
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a",
        "a: [",
        "unknown: x",
        "description: [a]",
        "limits: {a: b}",
        "labels: {A: 1}",
        "labels: {1: a}",
        "data: {train: words}",
        "sources: [{url: x}]",
        "sources: [a]",
    ],
)
def test_read_notes_refuses_other_shapes(tmp_path: Path, content: str) -> None:
    (tmp_path / "notes.yml").write_text(content, encoding="utf8")
    with pytest.raises(ValueError, match="CT782"):
        read_notes(tmp_path / "notes.yml")


def test_read_kept_gives_the_notes_and_refuses_other_readmes(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "README.md"
    assert read_kept(path) == ""
    path.write_text(make_card(model, make_report(), kept="## Mine\n\n{{ stays }}").readme, encoding="utf8")
    assert read_kept(path) == "## Mine\n\n{{ stays }}"
    path.write_text("# By hand\n", encoding="utf8")
    with pytest.raises(ValueError, match="CT783"):
        read_kept(path)


def test_card_is_the_same_for_the_same_input(model: Path, card: Card) -> None:
    assert make_card(model, make_report(), notes=NOTES, licence="CC BY-SA 4.0") == card
    assert card.readme.count(MARKER) == 1


def test_card_is_made_of_what_the_schema_of_reports_promises(tmp_path: Path) -> None:
    report = read_report(ROOT / "tests" / "evaluation" / "report_sample.json")
    about = report["model"]
    (tmp_path / "config.cfg").write_text((ROOT / "configs" / "joint.cfg").read_text(encoding="utf8"), encoding="utf8")
    meta = {"name": "ctx_demo", **{key: about[key] for key in ("lang", "version", "pipeline", "labels")}}
    write(tmp_path / "meta.json", meta)
    found = make_card(tmp_path, report)
    titles = [f"### {title}\n" for title in ("Entities", "Spans in `doc.spans['chunks']`", "Parts of speech")]
    assert [title for title in titles if title in found.readme] == titles
    scored = {component["id"].replace(":", "_") for component in report["components"]}
    assert {key.rpartition("_")[0] for key in found.meta["performance"]} == {
        "",
        *scored,
        "ents_per",
        "spans_chunks_per",
    }
