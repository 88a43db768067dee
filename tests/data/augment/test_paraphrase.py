"""Paraphrases: entities behind placeholders, found again, or the paraphrase is dropped and counted."""

from pathlib import Path
from typing import Any, Callable, List

import pytest
from augment_helpers import annotate, example_of, mentions, rich_doc, show, variants
from spacy.language import Language

from spacy_ctxtag.data.augment.paraphrase import create_paraphrase_v1, mask_entities
from spacy_ctxtag.data.augment.paraphrase_file import create_paraphrase_file_v1
from spacy_ctxtag.data.augment.text2text import create_text2text_v1
from spacy_ctxtag.data.records import DataError

LINE = "[PERSON Ada] left [LOC New York] for [LOC York] ~."


def answering(*answers: str) -> Callable[[str, str], List[str]]:
    """RETURNS (Callable): A source that always gives the same answers."""
    return lambda text, masked: list(answers)


def paraphrase(nlp: Language, line: str, *answers: str) -> Any:
    """RETURNS (Tuple): The augmenter, and what it makes of a line."""
    augmenter = create_paraphrase_v1(answering(*answers), level=1.0)
    (made,) = augmenter(nlp, annotate(nlp, line))
    return augmenter, made.reference


def test_paraphrase_source_gets_placeholders(nlp: Language) -> None:
    assert mask_entities(annotate(nlp, LINE).reference) == ("ENT0 left ENT1 for ENT2.", r"ENT(\d+)")
    assert mask_entities(annotate(nlp, "[LOC Rome] saw Ent1").reference) == ("ENTX0 saw Ent1", r"ENTX(\d+)")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("ENT2 was where ENT0 went from ENT1.", "[LOC York] was where [PERSON Ada] went from [LOC New York] ~."),
        ("ent0 left ent1, and saw ent2!", "[PERSON Ada] left [LOC New York] ~, and saw [LOC York] ~!"),
        ("From New York Ada went to York.", "From [LOC New York] [PERSON Ada] went to [LOC York] ~."),
    ],
)
def test_paraphrase_finds_the_entities_again(nlp: Language, answer: str, expected: str) -> None:
    augmenter, doc = paraphrase(nlp, LINE, answer)
    assert show(doc) == expected
    assert (augmenter.made, augmenter.dropped) == (1, 0)


GLUED = "It is [CURRENCY EUR] ~100 ~, not [CURRENCY €] ~90 ~."


def test_paraphrase_placeholders_before_digits_have_as_many_digits_as_each_other(nlp: Language) -> None:
    assert mask_entities(annotate(nlp, GLUED).reference) == ("It is ENT0100, not ENT190.", r"ENT(\d{1})")
    many = " , ".join(["[X a]"] * 11)
    masked = mask_entities(annotate(nlp, f"{many} ~1").reference)
    assert masked.text == ", ".join(f"ENT{i:02}" for i in range(11)).replace(", ", " , ") + "1"
    assert masked.pattern == r"ENT(\d{2})"


@pytest.mark.parametrize(
    "answer",
    ["Not ENT190, but ENT0100.", "Not €90, but EUR100.", "not ENT1 90, but ENT0 100.", "not € 90, but 100EUR."],
)
def test_paraphrase_finds_entities_that_meet_a_digit(nlp: Language, answer: str) -> None:
    augmenter, doc = paraphrase(nlp, GLUED, answer)
    assert mentions(doc) == [("€", "CURRENCY"), ("EUR", "CURRENCY")]
    assert (augmenter.made, augmenter.dropped) == (1, 0)
    assert doc.text == answer.replace("ENT0", "EUR").replace("ENT1", "€")


@pytest.mark.parametrize("answer", ["Not €90, but EURO100.", "Not €90, but xEUR100.", "Not €90, but EUR100 and EUR."])
def test_paraphrase_does_not_find_a_mention_in_another_word(nlp: Language, answer: str) -> None:
    assert paraphrase(nlp, GLUED, answer)[0].dropped == 1


def test_paraphrase_mention_that_meets_no_digit_is_a_whole_word(nlp: Language) -> None:
    assert paraphrase(nlp, "It was [CURRENCY EUR] ~.", "EUR100.")[0].dropped == 1


@pytest.mark.parametrize(
    "answer",
    [
        "ENT0 left ENT1.",  # one is missing
        "ENT0 left ENT1 for ENT2, said ENT0.",  # one is there twice
        "ENT0 left ENT1 for ENT2 and ENT3.",  # one is made up
        "She left town.",
        "Ada left New York.",
        "Ada left New York for York, says Ada.",
        "ENT0x left ENT1 for ENT2.",  # glued to a word
        "ENT0 left ENT1 for ENT2. Ada was sad.",  # one is there as it is, too
        "",
    ],
)
def test_paraphrase_that_loses_an_entity_is_dropped_and_counted(nlp: Language, answer: str) -> None:
    augmenter, doc = paraphrase(nlp, LINE, answer)
    assert show(doc) == LINE
    assert (augmenter.made, augmenter.dropped) == (0, 1)


def test_paraphrase_may_have_a_mention_that_the_text_has_outside_of_entities(nlp: Language) -> None:
    line = "[PERSON Ada] wrote some Ada ~."
    assert show(paraphrase(nlp, line, "Some Ada was written by ENT0.")[1]) == "Some Ada was written by [PERSON Ada] ~."


def test_paraphrase_of_a_mention_with_two_labels_is_ambiguous_without_placeholders(nlp: Language) -> None:
    line = "[PERSON Paris] is in [LOC Paris] ~."
    assert paraphrase(nlp, line, "Paris has Paris.")[0].dropped == 1
    assert show(paraphrase(nlp, line, "ENT1 has ENT0.")[1]) == "[LOC Paris] has [PERSON Paris] ~."


def test_paraphrase_goes_on_to_the_next_after_one_that_is_dropped(nlp: Language) -> None:
    augmenter = create_paraphrase_v1(answering("Nothing.", "Ada left New York. It was for York."), level=1.0)
    made = {each.reference.text for each in variants(augmenter, nlp, annotate(nlp, LINE))}
    assert made == {"Ada left New York. It was for York."}
    assert augmenter.made == 20
    assert 0 < augmenter.dropped < 20


def test_paraphrase_that_is_the_text_itself_is_no_variant(nlp: Language) -> None:
    augmenter, doc = paraphrase(nlp, LINE, "ENT0 left ENT1 for ENT2.")
    assert (augmenter.made, augmenter.dropped) == (0, 0)
    assert show(doc) == LINE


def test_paraphrase_carries_what_it_can(nlp: Language) -> None:
    old = rich_doc(nlp)
    augmenter = create_paraphrase_v1(answering("ENT1 had a letter from ENT0, in ENT2."), level=1.0)
    (made,) = augmenter(nlp, example_of(nlp, old))
    doc = made.reference
    assert mentions(doc) == [("Charles Babbage", "PERSON"), ("Ada Lovelace", "PERSON"), ("London", "LOC")]
    assert [(ent.kb_id_, ent.id_) for ent in doc.ents] == [("Q46633", ""), ("Q7259", "ada"), ("", "")]
    assert doc.cats == old.cats
    assert doc.user_data == {"ctx": {"id": "a"}, ("._.", "of_doc", None, None): 1}
    assert not any(doc.has_annotation(layer) for layer in ("TAG", "POS", "LEMMA", "DEP", "SENT_START"))
    assert list(doc.spans) == []
    assert {token.ent_iob_ for token in doc} == {"B", "I", ""}  # "He" was not known


def test_paraphrase_of_a_completely_annotated_text_is_complete(nlp: Language) -> None:
    _, doc = paraphrase(nlp, LINE, "ENT0 went from ENT1 to ENT2.")
    assert {token.ent_iob_ for token in doc} == {"B", "I", "O"}


def test_paraphrase_warns_once_when_most_are_dropped(nlp: Language, caplog: pytest.LogCaptureFixture) -> None:
    augmenter = create_paraphrase_v1(answering("Nothing."), level=1.0)
    with caplog.at_level("INFO", logger="spacy"), pytest.warns(UserWarning, match="CW390") as caught:
        variants(augmenter, nlp, annotate(nlp, LINE), n=250)
    assert augmenter.dropped == 250
    assert len(caught) == 1
    assert len([each for each in caplog.records if "lost an entity" in each.message]) == 3


# Sources.


def test_paraphrase_file_is_looked_up_with_and_without_placeholders(nlp: Language, tmp_path: Path) -> None:
    path = tmp_path / "paraphrases.jsonl"
    path.write_text(
        '{"text": "Ada left  New York for York.", "paraphrases": ["New York was left by Ada, for York."]}\n'
        '{"text": "ENT0 slept.", "paraphrases": ["Asleep, ENT0 was."]}\n',
        encoding="utf8",
    )
    augmenter = create_paraphrase_v1(create_paraphrase_file_v1(path), level=1.0)
    texts = [
        show(made.reference)
        for line in (LINE, "[PERSON Tom] slept ~.", "[PERSON Tom] woke ~.")
        for made in augmenter(nlp, annotate(nlp, line))
    ]
    assert texts == [
        "[LOC New York] was left by [PERSON Ada] ~, for [LOC York] ~.",
        "Asleep ~, [PERSON Tom] was ~.",
        "[PERSON Tom] woke ~.",
    ]


def test_paraphrase_file_with_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "paraphrases.txt"  # JSON lines whatever the suffix
    path.write_text('{"text": "a", "paraphrases": "b"}\n{"text": "a"}\n', encoding="utf8")
    with pytest.raises(DataError, match=r"paraphrases.txt:2: \[CT391\]"):
        create_paraphrase_file_v1(path)


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny T5 with random weights, and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    path = tmp_path_factory.mktemp("t5")
    words = [
        "<pad>",
        "</s>",
        "<unk>",
        *["paraphrase", ":", "ENT0", "ENT1", "ENT2", "left", "for", "saw", ".", "he", "she", "town"],
    ]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(path)
    config = T5Config(
        vocab_size=len(words), d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        T5ForConditionalGeneration(config).save_pretrained(path)
    return path


@pytest.mark.backbone
def test_text2text_samples_different_paraphrases_and_repeats_them(tiny_t5: Path) -> None:
    import torch

    source = create_text2text_v1(tiny_t5, n=3, max_length=6)
    before = torch.random.get_rng_state()
    answers = source("", "ENT0 left for ENT1 .")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert 1 < len(answers) <= 3
    assert set(" ".join(answers).split()) & {"left", "for", "saw", "he", "she", "town", "ENT0", "ENT1", "ENT2"}
    assert source("", "ENT0 left for ENT1 .") is answers
    other = create_text2text_v1(tiny_t5, n=3, max_length=6)
    other("", "he saw .")
    assert other("", "ENT0 left for ENT1 .") == answers
    assert create_text2text_v1(tiny_t5, n=3, max_length=6, seed=1)("", "ENT0 left for ENT1 .") != answers


@pytest.mark.backbone
def test_text2text_loads_when_it_is_first_asked_and_random_weights_lose_entities(nlp: Language, tiny_t5: Path) -> None:
    source = create_text2text_v1(tiny_t5, max_length=6)
    assert source._model == (None, None)
    augmenter = create_paraphrase_v1(source, level=1.0)
    (made,) = augmenter(nlp, annotate(nlp, LINE))
    assert source._model != (None, None)
    assert augmenter.dropped == len(source._answers["ENT0 left ENT1 for ENT2."])
    assert show(made.reference) == LINE
    assert source.__getstate__()["_model"] == (None, None)


def test_text2text_of_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"CT393.*no config.json"):
        create_text2text_v1(tmp_path)


@pytest.mark.backbone
def test_text2text_of_another_architecture(tiny_backbone: str) -> None:
    with pytest.raises(ValueError, match="CT393"):
        create_text2text_v1(Path(tiny_backbone))("", "x")


@pytest.mark.backbone
@pytest.mark.parametrize("settings", [{"n": 0}, {"max_length": 0}, {"temperature": 0.0}])
def test_text2text_refuses_wrong_settings(tiny_t5: Path, settings: Any) -> None:
    with pytest.raises(ValueError, match=rf"CT390.*Text2Text: `{next(iter(settings))}` is"):
        create_text2text_v1(tiny_t5, **settings)
