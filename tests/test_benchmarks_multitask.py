"""The benchmark of several tasks: what its systems read and give back, and how its claims are made."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from benchmark_modules import benchmark

ROWS = [
    ("Ada", "PROPN", "2", "nsubj"),
    ("wrote", "VERB", "0", "root"),
    ("letters", "NOUN", "2", "obj"),
]


@pytest.fixture(scope="module")
def multitask() -> Iterator[Any]:
    with benchmark("multitask") as module:
        yield module


def make_run(multitask: Any, folder: Path, system: str) -> Any:
    lines = [f"{i}\t{word}\t_\t{upos}\t_\t_\t{head}\t{dep}\t_\t_" for i, (word, upos, head, dep) in enumerate(ROWS, 1)]
    (folder / "ud_ewt").mkdir(exist_ok=True)
    text = "\n".join(["# text = Ada wrote letters", *lines, "3.1\tx" + 8 * "\t_", ""])
    (folder / "ud_ewt" / "train.conllu").write_text(text, encoding="utf8")
    settings = {"corpus": "ud_ewt", "seed": 0, "epochs": 1, "batch_size": 16, "lr": 1e-4}
    return multitask.TreeRun(system=system, data=str(folder), **settings)


def test_multitask_benchmark_gold_comes_back_as_it_was_read(multitask: Any, tmp_path: Path) -> None:
    system = sys.modules["systems.multitask"]
    [sentence] = make_run(multitask, tmp_path, "ctx-together").read("train")
    assert sentence.tags == {
        "upos": ["PROPN", "VERB", "NOUN"],
        "uas": ["2", "0", "2"],
        "las": ["2 nsubj", "0 ROOT", "2 obj"],
    }
    doc = system.gold_tree(spacy.blank("en").vocab, sentence)
    assert {column: system.found_in(doc, column) for column in sentence.tags} == sentence.tags


@pytest.mark.parametrize(("name", "columns"), [("ctx-tagger-alone", ["upos"]), ("ctx-parser-alone", ["uas", "las"])])
def test_multitask_benchmark_systems_alone_see_their_layer_only(
    multitask: Any, tmp_path: Path, name: str, columns: list[str]
) -> None:
    [sentence] = make_run(multitask, tmp_path, name).read("train")
    assert list(sentence.tags) == columns
    doc = sys.modules["systems.multitask"].gold_tree(spacy.blank("en").vocab, sentence)
    assert doc.has_annotation("POS") == ("upos" in columns)
    assert doc.has_annotation("DEP") == ("las" in columns)


def test_multitask_benchmark_claims_are_differences_of_means(multitask: Any) -> None:
    def result(system: str, seconds: float, **scores: float) -> dict[str, Any]:
        found = {column: {"accuracy": value} for column, value in scores.items()}
        return {"run": {"system": system}, "train_cpu_seconds": seconds, "scores": found}

    results = [
        result("ctx-together", 60.0, upos=96.0, uas=90.0, las=88.0),
        result("ctx-together", 80.0, upos=97.0, uas=91.0, las=88.0),
        result("ctx-tagger-alone", 50.0, upos=96.25),
        result("ctx-parser-alone", 50.0, uas=92.0, las=88.25),
    ]
    lines, claims = multitask.summarize(results)
    values = {claim["claim"]: (claim["value"], claim["holds"]) for claim in claims}
    assert values["upos.together-over-alone"] == (0.25, True)
    assert values["uas.together-over-alone"] == (-1.5, False)
    assert values["las.together-over-alone"] == (-0.25, True)
    assert values["time.together"] == (70.0, True)
    assert len(lines) == 4
