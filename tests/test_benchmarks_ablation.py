"""The benchmark of the parts of `configs/ner.cfg`: it hands the command what that expects, and claims what it found."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import spacy
from benchmark_modules import benchmark
from spacy.tokens import DocBin

from spacy_ctxtag.evaluation.ablation import read_grid


@pytest.fixture(scope="module")
def ablation() -> Iterator[Any]:
    with benchmark("ablation") as module:
        yield module


def test_sentences_are_written_with_their_entities(ablation: Any, tmp_path: Path) -> None:
    text = "Ada\tB-person\nLovelace\tI-person\nwrote\tO\n\nParis\tB-location\n"
    for split in ablation.SPLITS:
        (tmp_path / f"{split}.tsv").write_text(text, encoding="utf8")
    ablation.write_corpus(tmp_path, tmp_path, 0)
    docs = list(DocBin().from_disk(tmp_path / "test.spacy").get_docs(spacy.blank("en").vocab))
    assert [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs] == [
        [("Ada Lovelace", "person")],
        [("Paris", "location")],
    ]


def test_command_names_the_shipped_files_and_the_written_texts(ablation: Any, tmp_path: Path) -> None:
    call = ablation.command(tmp_path, SimpleNamespace(seeds=3, jobs=1, quick=False))
    config, grid = map(Path, call[5:7])
    assert config.is_file()
    assert "no-characters" in [variant.name for variant in read_grid(grid)]
    for option, split in (("--paths.train", "train"), ("--paths.dev", "dev"), ("--data", "test")):
        assert call[call.index(option) + 1] == str(tmp_path / f"{split}.spacy")


def test_claims_are_in_percent_and_hold_however_a_part_came_out(ablation: Any) -> None:
    over = {"difference": -0.012, "low": -0.03, "high": 0.004, "p_value": 0.21}
    rows = {
        "base": {"mean": 0.43, "sd": 0.01, "over_base": None},
        "no-characters": {"mean": 0.418, "sd": 0.02, "over_base": over},
    }
    claims = {claim["claim"]: claim for claim in ablation.make_claims(rows)}
    assert claims["wnut17.base.f"]["value"] == pytest.approx(43)
    assert claims["wnut17.no-characters.difference"]["value"] == pytest.approx(-1.2)
    assert claims["wnut17.no-characters.p"]["value"] == pytest.approx(0.21)
    assert "wnut17.base.difference" not in claims
    assert all(claim["holds"] for claim in claims.values())
