"""What all augmenters have in common: a share of the documents, a seed, gold that stays, settings that are checked."""

import pickle
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import spacy
from augment_helpers import annotate, example_of, mentions, rich_doc, variants
from hypothesis import given
from hypothesis import strategies as st
from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_ctxtag.data.augment.corpus import augment_docs
from spacy_ctxtag.data.augment.reproject import NORM_, START_, read_rows

NLP = spacy.blank("en")
LINES = [
    "[PERSON Ada Lovelace] wrote to [PERSON Charles Babbage] in [LOC London] ~, and he bought 3,000 “ ~engines ~” ~.",
    "[LOC Porto] is nice ~... [PERSON Ilse] said – it isn't far from [LOC Lyon] ~!",
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "gazetteer.tsv").write_text("LOC\tNew York\nLOC\tRome\nPERSON\tTom Weiss\n", encoding="utf8")
    (tmp_path / "lexicon.tsv").write_text("bought\tacquired\nnice\tvery pretty\nwrote\tpenned\n", encoding="utf8")
    (tmp_path / "paraphrases.jsonl").write_text(
        '{"text": "ENT0 is nice... ENT1 said – it isn\'t far from ENT2!", '
        '"paraphrases": ["ENT1: ENT0 is nice, and near ENT2!", "ENT0 is nice, near ENT2, says ENT1."]}\n',
        encoding="utf8",
    )
    return tmp_path


MAKERS: Dict[str, Callable[[Path], Dict[str, Any]]] = {
    "MaskTokens": lambda path: {"rate": 0.5},
    "MaskTokens words": lambda path: {"rate": 0.5, "mask": None},
    "ReplaceMentions": lambda path: {},
    "ReplaceMentions gazetteer": lambda path: {"gazetteer": path / "gazetteer.tsv"},
    "CharNoise": lambda path: {"rate": 0.5},
    "Casing": lambda path: {"case": "random", "per": "word", "rate": 0.8},
    "Spaces": lambda path: {"rate": 0.5},
    "Punctuation": lambda path: {"rate": 0.8},
    "Synonyms": lambda path: {"path": path / "lexicon.tsv", "rate": 0.8},
    "Paraphrase": lambda path: {
        "source": registry.misc.get("spacy-ctxtag.ParaphraseFile.v1")(path / "paraphrases.jsonl")
    },
}
makers = pytest.mark.parametrize("name", MAKERS)


def make(name: str, files: Path, **settings: Any) -> Any:
    maker = registry.augmenters.get(f"spacy-ctxtag.{name.split()[0]}.v1")
    return maker(**{"level": 1.0, **MAKERS[name](files), **settings})


@makers
def test_augmenter_changes_texts_and_keeps_what_the_entities_are(name: str, nlp: Language, files: Path) -> None:
    augmenter = make(name, files)
    texts = set()
    for line in LINES * 10:
        (made,) = augmenter(nlp, annotate(nlp, line))
        texts.add(made.reference.text)
        assert made.predicted.text == made.reference.text
        assert sorted(ent.label_ for ent in made.reference.ents) == sorted(
            ent.label_ for ent in annotate(nlp, line).reference.ents
        )
        assert all(token.text.strip() or token.text == " " for token in made.reference)
        assert made.get_aligned_ner()  # the two can be aligned
    assert len(texts - {annotate(nlp, line).text for line in LINES}) > 1


@makers
def test_augmenter_with_the_same_seed_makes_the_same_variants(name: str, nlp: Language, files: Path) -> None:
    def run(seed: int) -> Any:
        augmenter = make(name, files, seed=seed)
        return [made.reference.to_json() for line in LINES * 8 for made in augmenter(nlp, annotate(nlp, line))]

    assert run(1) == run(1)
    assert run(1) != run(2)


@makers
def test_augmenter_makes_other_variants_in_every_epoch(name: str, nlp: Language, files: Path) -> None:
    augmenter = make(name, files)
    example = annotate(nlp, LINES[1])
    list(augmenter(nlp, annotate(nlp, LINES[0])))
    assert len({made.reference.text for made in variants(augmenter, nlp, example)}) > 1


@makers
def test_augmenter_level_is_the_share_of_documents(name: str, nlp: Language, files: Path) -> None:
    example = annotate(nlp, LINES[1])
    assert all(made is example for made in variants(make(name, files, level=0.0), nlp, example))
    half = variants(make(name, files, level=0.5), nlp, example, n=60)
    assert 10 < sum(made is example for made in half) < 60


@makers
def test_augmenter_changes_no_input_and_no_global_state(name: str, nlp: Language, files: Path) -> None:
    import random

    example = example_of(nlp, rich_doc(nlp))
    before, state = (example.reference.to_bytes(), example.predicted.to_bytes()), random.getstate()
    variants(make(name, files), nlp, example)
    assert (example.reference.to_bytes(), example.predicted.to_bytes()) == before
    assert random.getstate() == state


@makers
def test_augmenter_goes_on_where_it_was_pickled(name: str, nlp: Language, files: Path) -> None:
    augmenter = make(name, files)
    example = annotate(nlp, LINES[1])
    variants(augmenter, nlp, example)
    again = pickle.loads(pickle.dumps(augmenter))
    texts = [made.reference.text for made in variants(augmenter, nlp, example)]
    assert [made.reference.text for made in variants(again, nlp, example)] == texts


@makers
def test_augmenter_leaves_unannotated_and_empty_documents_without_annotation(
    name: str, nlp: Language, files: Path
) -> None:
    augmenter = make(name, files)
    for text in ("", LINES[1].replace("[PERSON ", "").replace("[LOC ", "").replace("]", "")):
        for made in variants(augmenter, nlp, example_of(nlp, nlp.make_doc(text)), n=5):
            rows = read_rows(made.reference)
            rows[:, NORM_] = rows[:1, START_] = 0  # which every Doc has
            assert not rows.any()


@makers
def test_augmenter_leaves_unknown_entities_unknown(name: str, nlp: Language, files: Path) -> None:
    augmenter = make(name, files)
    example = annotate(nlp, LINES[1])
    example.reference.set_ents(example.reference.ents[:1], default="missing")
    for made in variants(augmenter, nlp, example):
        assert [label for _, label in mentions(made.reference)] == ["LOC"]
        assert {token.ent_iob_ for token in made.reference} <= {"", "B", "I"}


@pytest.mark.parametrize(
    ("name", "setting"),
    [(name, setting) for name in MAKERS for setting in ("level", "rate") if (name, setting) != ("Paraphrase", "rate")],
)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_augmenter_refuses_what_is_no_share(name: str, setting: str, value: float, files: Path) -> None:
    with pytest.raises(ValueError, match=rf"CT390.*{name.split()[0]}: `{setting}` is"):
        make(name, files, **{setting: value})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("MaskTokens", {"mask": "two words"}),
        ("MaskTokens", {"mask": ""}),
        ("MaskTokens", {"where": "nowhere"}),
        ("CharNoise", {"kinds": []}),
        ("CharNoise", {"kinds": ["drop", "dance"]}),
        ("CharNoise", {"layout": "dvorak"}),
        ("CharNoise", {"min_length": 0}),
        ("Casing", {"case": "camel"}),
        ("Casing", {"per": "sentence"}),
        ("Spaces", {"kinds": ["triple"]}),
        ("Punctuation", {"kinds": ["commas"]}),
    ],
)
def test_augmenter_refuses_wrong_settings(name: str, settings: Dict[str, Any], files: Path) -> None:
    with pytest.raises(ValueError, match=rf"CT390.*{name}: `{next(iter(settings))}` is"):
        make(name, files, **settings)


def test_augmenters_with_the_same_seed_do_not_change_the_same_documents(nlp: Language, files: Path) -> None:
    example = annotate(nlp, LINES[0])
    changed = [
        [made is not example for made in variants(make(name, files, level=0.5), nlp, example, n=40)]
        for name in ("Casing", "CharNoise")
    ]
    assert changed[0] != changed[1]


def test_augment_docs_makes_the_same_noisy_copy_every_time(nlp: Language, files: Path, tmp_path: Path) -> None:
    DocBin(docs=[annotate(nlp, line).reference for line in LINES]).to_disk(tmp_path / "test.spacy")

    def noisy() -> Any:
        docs = DocBin().from_disk(tmp_path / "test.spacy").get_docs(nlp.vocab)
        return list(augment_docs(nlp, docs, make("CharNoise", files, rate=1.0)))

    assert [doc.to_json() for doc in noisy()] == [doc.to_json() for doc in noisy()]
    assert [len(doc.ents) for doc in noisy()] == [3, 3]
    assert all(isinstance(doc, Doc) and doc.text not in LINES for doc in noisy())


@pytest.mark.parametrize(
    "name", ["MaskTokens", "MaskTokens words", "ReplaceMentions", "CharNoise", "Casing", "Spaces", "Punctuation"]
)
@given(text=st.text(max_size=40), seed=st.integers(0, 3))
def test_augmenter_survives_any_text(name: str, text: str, seed: int) -> None:
    doc = NLP.make_doc(text)
    words = [token for token in doc if not token.is_space]
    doc.ents = [Span(doc, token.i, token.i + 1, "AB"[token.i % 2]) for token in words if token.i % 3]
    for made in variants(make(name, Path(), seed=seed), NLP, example_of(NLP, doc), n=3):
        assert made.predicted.text == made.reference.text
        assert all(token.text for token in made.reference)
        assert [ent.label_ for ent in made.reference.ents] == [ent.label_ for ent in doc.ents]
        assert sum(token.is_space for token in made.reference) >= sum(token.is_space for token in doc)


# The chain.


def chain(*names: str, files: Path, **settings: Any) -> Any:
    return registry.augmenters.get("spacy-ctxtag.Chain.v1")(*(make(name, files) for name in names), **settings)


def test_chain_applies_all_in_order(nlp: Language, files: Path) -> None:
    casing = make("Casing", files, case="upper", per="doc", rate=1.0)
    together = registry.augmenters.get("spacy-ctxtag.Chain.v1")(
        make("ReplaceMentions gazetteer", files, rate=1.0), casing
    )
    (made,) = together(nlp, annotate(nlp, LINES[0]))
    assert made.reference.text.startswith("TOM WEISS WROTE")


def test_chain_copies_and_keeps_the_original(nlp: Language, files: Path) -> None:
    example = annotate(nlp, LINES[0])
    made = list(chain("CharNoise", "Spaces", files=files, copies=3, keep_original=True)(nlp, example))
    assert made[0] is example
    assert len({each.reference.text for each in made}) == len(made) == 4


def test_chain_leaves_out_unchanged_variants_beside_the_original(nlp: Language, files: Path) -> None:
    example = annotate(nlp, LINES[0])
    nothing = registry.augmenters.get("spacy-ctxtag.Chain.v1")(
        make("Casing", files, level=0.0), copies=3, keep_original=True
    )
    assert list(nothing(nlp, example)) == [example]


@pytest.mark.parametrize("settings", [{}, {"copies": 0}])
def test_chain_refuses_wrong_settings(settings: Dict[str, int], files: Path) -> None:
    augmenters = [make("Casing", files)] if settings else []
    with pytest.raises(ValueError, match=r"CT390.*Chain"):
        registry.augmenters.get("spacy-ctxtag.Chain.v1")(*augmenters, **settings)


def test_chain_stands_in_a_config_with_augmenters_of_spacy(nlp: Language, files: Path) -> None:
    config = {
        "augmenter": {
            "@augmenters": "spacy-ctxtag.Chain.v1",
            "copies": 2,
            "*": {
                "mentions": {
                    "@augmenters": "spacy-ctxtag.ReplaceMentions.v1",
                    "level": 1.0,
                    "rate": 1.0,
                    "gazetteer": str(files / "gazetteer.tsv"),
                },
                "lower": {"@augmenters": "spacy.lower_case.v1", "level": 1.0},
            },
        }
    }
    augmenter = registry.resolve(config)["augmenter"]
    made = list(augmenter(nlp, annotate(nlp, LINES[0])))
    assert len(made) == 2
    assert made[0].reference.text.startswith("tom weiss wrote")
