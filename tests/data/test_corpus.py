import pytest
from data_helpers import spans
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_ctxtag.data.convert import convert
from spacy_ctxtag.data.corpus import create_corpus_v1
from spacy_ctxtag.data.records import DataError

INLINE = "# doc = a\n# domain = web\n[LOC Rome/PROPN] is/AUX ~n't/PART\n[- x/NOUN]\n\n# doc = b\n# domain = law\ny/X\n"


@pytest.fixture
def source(tmp_path, nlp):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(INLINE)
    return tmp_path / "in"


@pytest.mark.parametrize("kind", ["source", "spacy"])
def test_corpus_yields_examples_with_metadata(nlp, source, kind):
    path = source
    if kind == "spacy":
        path = source.parent / "a.spacy"
        convert([source], path, nlp)
    first, second = create_corpus_v1(path)(nlp)
    assert [first.predicted.user_data["ctx"][key] for key in ("id", "domain")] == ["a", "web"]
    assert second.predicted.user_data["ctx"]["domain"] == "law"
    assert first.reference.user_data["ctx"] == first.predicted.user_data["ctx"]
    assert [token.text for token in first.predicted] == [token.text for token in nlp.make_doc("Rome isn't x")]
    assert not first.predicted.has_annotation("ENT_IOB")
    assert first.get_aligned_ner() == ["U-LOC", "O", "O", None]


def test_corpus_can_be_read_again(nlp, source):
    corpus = create_corpus_v1(source)
    assert len(list(corpus(nlp))) == len(list(corpus(nlp))) == 2


def test_corpus_keeps_the_words_where_the_spaces_are_not_known(nlp, tmp_path):
    (tmp_path / "a.tsv").write_text("isn't\tO\n")
    (example,) = create_corpus_v1(tmp_path)(nlp)
    assert [token.text for token in example.predicted] == ["isn't"]


def test_corpus_limit_counts_over_all_files(nlp, source):
    (source / "b.txt").write_text(INLINE.replace("= a", "= c").replace("= b", "= d"))
    assert [eg.reference.user_data["ctx"]["id"] for eg in create_corpus_v1(source, limit=3)(nlp)] == ["a", "b", "c"]


def test_corpus_gold_preproc_yields_sentences_with_the_tokens_of_the_reference(nlp, source):
    examples = list(create_corpus_v1(source, gold_preproc=True)(nlp))
    assert [[token.text for token in eg.predicted] for eg in examples] == [["Rome", "is", "n't"], ["x"], ["y"]]
    assert [eg.predicted.user_data["ctx"]["id"] for eg in examples] == ["a", "a", "b"]


def test_corpus_max_length_cuts_into_sentences_and_warns_of_what_is_left_out(nlp, source):
    with pytest.warns(UserWarning, match=r"CW300.*1 sentences of 3 tokens"):
        examples = list(create_corpus_v1(source, max_length=3)(nlp))
    assert [eg.reference.text for eg in examples] == ["x", "y"]
    assert examples[0].predicted.user_data["ctx"]["domain"] == "web"


def test_corpus_derives_noun_chunks_and_keeps_them_in_sentences(nlp, source):
    whole, other = create_corpus_v1(source, options={"noun_chunks": True})(nlp)
    assert [spans(eg.reference) for eg in (whole, other)] == [[(0, 1, "NP"), (3, 4, "NP")], []]
    cut = list(create_corpus_v1(source, gold_preproc=True, options={"noun_chunks": True})(nlp))
    assert [spans(eg.reference) for eg in cut] == [[(0, 1, "NP")], [(0, 1, "NP")], []]
    assert "chunks" not in whole.predicted.spans


def test_corpus_sentence_with_part_of_a_span_does_not_know_the_group(nlp, tmp_path):
    doc = Doc(nlp.vocab, words=["a", "b", "c", "d"], sent_starts=[True, False, True, False])
    doc.spans["chunks"] = [doc[0:1], doc[3:4]]
    doc.spans["across"] = [doc[1:3]]
    doc.spans["none"] = []
    DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    cut = [eg.reference for eg in create_corpus_v1(tmp_path / "a.spacy", gold_preproc=True)(nlp)]
    assert [sorted(piece.spans) for piece in cut] == [["chunks", "none"]] * 2
    assert [[span.text for span in piece.spans["chunks"]] for piece in cut] == [["a"], ["d"]]


def test_corpus_augmented_examples_have_the_metadata_too(nlp, source):
    def twice(nlp, example):
        yield example
        words = [token.text.upper() for token in example.reference]
        yield Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words))

    examples = list(create_corpus_v1(source, augmenter=twice)(nlp))
    assert [eg.predicted.user_data["ctx"]["domain"] for eg in examples] == ["web", "web", "law", "law"]


def test_corpus_does_not_copy_extension_attributes(nlp, tmp_path):
    doc = Doc(nlp.vocab, words=["x"], user_data={("._.", "ctx_thing", None, None): 1, "note": "n"})
    DocBin(store_user_data=True, docs=[doc]).to_disk(tmp_path / "a.spacy")
    (example,) = create_corpus_v1(tmp_path / "a.spacy")(nlp)
    assert sorted(example.predicted.user_data) == ["ctx", "note"]


def test_corpus_passes_options_on(nlp, tmp_path):
    (tmp_path / "a.tsv").write_text("x|B-LOC\n\ny|O\n")
    (example,) = create_corpus_v1(tmp_path, options={"separator": "|", "n_sents": 2})(nlp)
    assert [ent.label_ for ent in example.reference.ents] == ["LOC"]


def test_corpus_with_problems_lists_those_of_all_files(nlp, source):
    (source / "b.txt").write_text("# doc = c\n[LOC x\n")
    (source / "c.txt").write_text("# doc = d\nx]\n")
    with pytest.raises(ValueError, match=r"(?s)b.txt:2: \[CT321\].*c.txt:2: \[CT319\]"):
        list(create_corpus_v1(source)(nlp))


@pytest.mark.parametrize(("path", "options", "code"), [(None, None, "CT374"), ("x", {"nonsense": 1}, "CT304")])
def test_corpus_with_wrong_settings(path, options, code):
    with pytest.raises(ValueError, match=code):
        create_corpus_v1(path, options=options)


def test_corpus_of_a_missing_file(nlp, tmp_path):
    with pytest.raises(ValueError, match="CT305"):
        list(create_corpus_v1(tmp_path / "none.spacy")(nlp))


def test_corpus_stands_in_a_config(nlp, source):
    from spacy import registry

    config = {"corpus": {"@readers": "spacy-ctxtag.Corpus.v1", "path": str(source), "max_length": 0, "limit": 1}}
    corpus = registry.resolve(config)["corpus"]
    assert len(list(corpus(nlp))) == 1


def test_corpus_stops_at_a_broken_document_of_a_docbin(nlp, tmp_path):
    broken = Doc(nlp.vocab, words=["c"])
    rows = broken.to_array(["ENT_IOB", "ENT_TYPE"])
    rows[0] = [1, nlp.vocab.strings.add("X")]
    docs = [Doc(nlp.vocab, words=["a"]), broken.from_array(["ENT_IOB", "ENT_TYPE"], rows), Doc(nlp.vocab, words=["d"])]
    DocBin(docs=docs).to_disk(tmp_path / "a.spacy")
    taken = []
    with pytest.raises(DataError, match=r"CT388.*document 'a-2', token 0"):
        taken.extend(example.reference.text for example in create_corpus_v1(tmp_path)(nlp))
    assert taken == ["a "]
