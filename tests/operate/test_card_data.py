"""What a card says a pipeline was made of: data as a run has read them, encoders, vectors."""

from pathlib import Path
from typing import Any

import pytest
import spacy
from card_helpers import front_matter, make_manifest, make_report, write

from spacy_ctxtag.operate.card import make_card
from spacy_ctxtag.training.fingerprint import META_KEY as TRAINED

ROOT = Path(__file__).parents[2]


# Others' work


def test_card_names_the_encoder_and_what_matters_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text((ROOT / "configs" / "joint.cfg").read_text(encoding="utf8"), encoding="utf8")
    pipeline = ["ctx_encoder", "ctx_ner", "ctx_tagger", "ctx_cleaner"]
    write(tmp_path / "meta.json", {"lang": "en", "name": "finder", "version": "1.2.3", "pipeline": pipeline})
    found = make_card(tmp_path, make_report(model={**make_report()["model"], "pipeline": pipeline, "labels": {}}))
    name = "sentence-transformers/all-MiniLM-L6-v2"
    assert front_matter(found.readme)["base_model"] == name
    assert found.meta["sources"] == [{"name": name, "url": f"https://huggingface.co/{name}", "license": "Apache-2.0"}]
    assert f"- [{name}](https://huggingface.co/{name}), Apache-2.0" in found.readme
    assert "windows of 256 word pieces" in found.readme
    assert "- `encoder.window = 256`" in found.readme
    assert "- `training.optimizer.@optimizers = " in found.readme


def write_pipeline(folder: Path, config: str) -> dict[str, Any]:
    """Write a pipeline as far as a card reads it. RETURNS (dict): A report of it."""
    (folder / "config.cfg").write_text(config, encoding="utf8")
    write(folder / "meta.json", {"lang": "en", "name": "finder", "version": "1.2.3", "pipeline": ["transformer"]})
    return make_report(model={**make_report()["model"], "pipeline": ["transformer"], "labels": {}})


@pytest.mark.parametrize("architecture", ["TransformerModel.v3", "Tok2VecTransformer.v1"])
def test_card_names_encoders_of_spacy_transformers_and_vectors(tmp_path: Path, architecture: str) -> None:
    report = write_pipeline(
        tmp_path,
        f"""
[components]

[components.transformer]

[components.transformer.model]
@architectures = "spacy-transformers.{architecture}"
name = "roberta-base"

[components.ner]

[components.ner.model]

[components.ner.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
name = "no-weights"

[initialize]
vectors = "/home/somebody/my_vectors"
init_tok2vec = "pretrain/model5.bin"
""",
    )
    found = make_card(tmp_path, report)
    assert front_matter(found.readme)["base_model"] == "roberta-base"
    assert found.meta["sources"] == [
        {"name": "roberta-base", "url": "https://huggingface.co/roberta-base"},
        {"name": "my_vectors"},
        {"name": "model5.bin"},
    ]
    assert "nothing that its config" not in found.readme


# A run


def test_card_of_a_run_has_its_data_seed_and_versions(model: Path, train: Path) -> None:
    found = make_card(model, make_report(), manifest=make_manifest(train))
    assert f"| train | train.spacy | 1 | 3 | `{make_manifest(train)['data'][str(train)]}` |" in found.readme
    assert "| `PERSON` | 90.0 (85.0 to 95.0) | 90.0 (85.0 to 95.0) | 90.0 (85.0 to 95.0) | 15 | 2 |" in found.readme
    assert "| Seed | 7, deterministic |" in found.readme
    assert "| Steps | 1,200, the best at 1,000 with 81.0 on dev |" in found.readme
    assert "| Machine | <code>A &#124; CPU</code>, cores: 2, threads: 1 |" in found.readme
    assert "| Commit | `1234abcd`, with changes |" in found.readme
    assert "| Versions | python 3.11.7, spacy 3.8.18, thinc 8.3.14 |" in found.readme
    assert "weights/bert" not in found.readme


def test_card_does_not_count_data_that_have_changed(model: Path, train: Path) -> None:
    manifest = make_manifest(train)
    train.write_bytes(train.read_bytes() + b" ")
    found = make_card(model, make_report(), manifest=manifest).readme
    assert f"| train | train.spacy | – | – | `{manifest['data'][str(train)]}` |" in found
    assert "in train" not in found


@pytest.mark.parametrize(("limit", "numbers"), [(0, (2, 4, 2)), (1, (1, 2, 1))])
def test_card_counts_data_as_the_run_has_read_them(
    model: Path, tmp_path: Path, limit: int, numbers: tuple[int, ...]
) -> None:
    path = tmp_path / "train.txt"
    path.write_text("Ada;B-PERSON\nleft;O\n\nBo;B-PERSON\nstayed;O\n", encoding="utf8")
    manifest = make_manifest(path)
    reader = {"@readers": "spacy-ctxtag.Corpus.v1", "path": str(path), "limit": limit, "max_length": 1}
    options = {"format": "columns", "separator": "semicolon"}
    corpora = {"train": {"@readers": "spacy-ctxtag.RareLabels.v1", "corpus": {**reader, "options": options}}}
    manifest["config"]["corpora"] = corpora
    found = make_card(model, make_report(), manifest=manifest).readme
    docs, tokens, n_persons = numbers
    assert f"| train | train.txt | {docs} | {tokens} | " in found
    assert f"| 15 | {n_persons} |" in found


def test_card_does_not_count_data_of_a_reader_with_other_options(model: Path, train: Path) -> None:
    manifest = make_manifest(train)
    manifest["config"]["corpora"] = {"x": {"@readers": "my.Reader.v1", "path": str(train), "options": {"rot13": True}}}
    assert "| train | train.spacy | – | – |" in make_card(model, make_report(), manifest=manifest).readme


def test_card_of_a_run_that_was_cut_off(model: Path, train: Path) -> None:
    manifest = make_manifest(train, end=None, git=None)
    del manifest["steps"], manifest["best"]
    found = make_card(model, make_report(), manifest=manifest).readme
    assert "| Begun, ended | 2026-11-25T19:00:00+00:00 to ? |" in found
    assert "| Steps |" not in found


def test_card_without_a_run_knows_what_the_report_and_the_pipeline_do(model: Path, tmp_path: Path) -> None:
    file = {"source": "file", "path": "corpus/train.spacy", "sha256": "60" * 32, "documents": 540, "tokens": 16210}
    found = make_card(model, make_report(train=file)).readme
    assert f"| train | corpus/train.spacy | 540 | 16,210 | `{'60' * 32}` |" in found
    nlp = spacy.load(model)
    nlp.meta[TRAINED] = ["12", "34"]
    nlp.to_disk(tmp_path / "model")
    assert (
        "| train | different texts, as the pipeline remembers them | 2 | – | – |"
        in make_card(tmp_path / "model", make_report()).readme
    )
