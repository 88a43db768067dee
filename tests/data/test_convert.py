import pytest
from data_helpers import codes, ents, spans
from spacy.tokens import DocBin

from spacy_ctxtag.data.convert import convert, write_docbin
from spacy_ctxtag.data.records import DataError
from spacy_ctxtag.data.sources import ReadOptions, SourceReader, guess_format

INLINE = "# doc = a\n# domain = web\n[LOC Rome/PROPN]\n[- x/NOUN]\n\n# doc = b\ny/X\n"


def read_back(nlp, path):
    return list(DocBin().from_disk(path).get_docs(nlp.vocab))


def test_convert_keeps_documents_sentences_and_metadata(nlp, tmp_path):
    (tmp_path / "a.txt").write_text(INLINE)
    result = convert([tmp_path / "a.txt"], tmp_path / "new" / "out.spacy", nlp)
    assert (result.docs, result.sents, result.tokens, dict(result.ents)) == (2, 3, 3, {"LOC": 1})
    first, _second = read_back(nlp, tmp_path / "new" / "out.spacy")
    assert [token.is_sent_start for token in first] == [True, True]
    assert [token.ent_iob for token in first] == [3, 0]
    assert [token.pos_ for token in first] == ["PROPN", "NOUN"]
    assert first.user_data["ctx"]["id"] == "a"
    assert first.user_data["ctx"]["domain"] == "web"
    assert first.user_data["ctx"]["source"] == (tmp_path / "a.txt").as_posix()


def test_convert_merges_files_of_all_formats_and_its_own_output(nlp, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(INLINE)
    (folder / "b.tsv").write_text("Oslo\tB-LOC\n")
    (folder / "c.jsonl").write_text('{"text": "Kiel", "entities": [[0, 4, "LOC"]]}')
    (folder / "d.conllu").write_text("\t".join(["1", "a", "a", "X", "_", "_", "0", "root", "_", "_"]) + "\n")
    (folder / ".hidden.txt").write_text("[")
    convert([folder], tmp_path / "one.spacy", nlp)
    result = convert([tmp_path / "one.spacy"], tmp_path / "two.spacy", nlp)
    assert result.docs == 5
    docs = read_back(nlp, tmp_path / "two.spacy")
    assert [doc.user_data["ctx"]["id"] for doc in docs] == ["a", "b", "b-1", "c-1", "d-1"]
    assert [ents(doc) for doc in docs] == [[(0, 1, "LOC")], [], [(0, 1, "LOC")], [(0, 1, "LOC")], []]
    assert docs[2].has_unknown_spaces
    assert docs[4].has_annotation("DEP")


def test_convert_counts_and_keeps_noun_chunks(nlp, tmp_path):
    (tmp_path / "a.txt").write_text(INLINE)
    (tmp_path / "b.tsv").write_text("Oslo\tB-LOC\n")  # no parts of speech
    result = convert([tmp_path], tmp_path / "out.spacy", nlp, ReadOptions(noun_chunks=True, spans_key="np"))
    assert result.spans == {"np": {"NP": 2}}
    docs = read_back(nlp, tmp_path / "out.spacy")
    assert [spans(doc, "np") for doc in docs[:2]] == [[(0, 1, "NP"), (1, 2, "NP")], []]
    assert "np" not in docs[2].spans


def test_convert_derives_no_noun_chunks_unless_told_to(nlp, tmp_path):
    (tmp_path / "a.txt").write_text(INLINE)
    assert convert([tmp_path], tmp_path / "out.spacy", nlp).spans == {}


def test_convert_into_its_input_folder_does_not_read_its_output(nlp, tmp_path):
    (tmp_path / "a.txt").write_text(INLINE)
    output = tmp_path / "out.spacy"
    assert convert([tmp_path], output, nlp).docs == convert([tmp_path], output, nlp).docs == 2


def test_convert_gives_the_same_bytes(nlp, tmp_path):
    (tmp_path / "a.txt").write_text(INLINE)
    for name in ("one", "two"):
        convert([tmp_path / "a.txt"], tmp_path / f"{name}.spacy", nlp)
    assert (tmp_path / "one.spacy").read_bytes() == (tmp_path / "two.spacy").read_bytes()


def test_convert_lists_the_problems_of_all_files_and_writes_nothing(nlp, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("# doc = a\nx]\n\n# doc = b\n[LOC y\n")
    (folder / "b.jsonl").write_text("{\n")
    (folder / "c.spacy").write_bytes(b"nothing")
    output = tmp_path / "out" / "out.spacy"
    with pytest.raises(DataError, match="CT300") as caught:
        convert([folder, tmp_path / "none.txt"], output, nlp)
    expected = [("CT305", 0), ("CT319", 2), ("CT321", 5), ("CT360", 1), ("CT309", 0)]
    assert codes(caught.value.problems) == expected
    assert all(code in str(caught.value) for code, _ in expected)
    assert not output.parent.exists()


def test_convert_leaves_an_existing_output_as_it_was(nlp, tmp_path):
    (tmp_path / "a.txt").write_text("# doc = a\nx]\n")
    output = tmp_path / "out.spacy"
    output.write_bytes(b"old")
    with pytest.raises(DataError, match="CT319"):
        convert([tmp_path / "a.txt"], output, nlp)
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "out.spacy"]


def test_write_docbin_leaves_nothing_half_written(tmp_path, monkeypatch):
    output = tmp_path / "out.spacy"
    output.write_bytes(b"old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_docbin(DocBin(), output)
    assert [path.name for path in tmp_path.iterdir()] == ["out.spacy"]
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("names", "output", "code"),
    [
        (["a.txt"], "out.json", "CT371"),
        (["out.spacy"], "out.spacy", "CT372"),
        (["a.txt", "a.txt"], "out.spacy", "CT307"),
        (["empty"], "out.spacy", "CT306"),
        ([], "out.spacy", "CT373"),
        (["b.jsonl"], "out.spacy", "CT308"),
    ],
)
def test_convert_reports_wrong_inputs_and_outputs(nlp, tmp_path, names, output, code):
    (tmp_path / "a.txt").write_text(INLINE)
    (tmp_path / "b.jsonl").write_text('{"text": "x", "answer": "reject"}')
    (tmp_path / "empty").mkdir()
    if names == ["out.spacy"]:
        (tmp_path / "out.spacy").write_bytes(b"old")
    with pytest.raises(DataError, match=code):
        convert([tmp_path / name for name in names], tmp_path / output, nlp)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.spacy", "", "spacy"),
        ("a.JSONL", "", "jsonl"),
        ("a.conllu", "", "conllu"),
        ("a.iob2", "", "columns"),
        ("a.txt", INLINE, "inline"),
        ("a.txt", "# doc = a\nRome B-LOC\nx O\n\ny O\n", "columns"),
        ("a.txt", "-DOCSTART- -X- O O\n\nRome NNP I-NP I-LOC\n", "columns"),
        ("a.txt", "Rome\tX\n", "columns"),
        ("a.txt", '{"text": "x"}\n', "jsonl"),
        ("a.xyz", "\t".join("1234567890") + "\n", "conllu"),
        ("a.txt", "", "inline"),
        ("a.txt", "Rome B-LOC\nx O\ny O\nz\n. O\n\nParis B-LOC\nx O\n", "columns"),
    ],
)
def test_guess_format_looks_at_suffix_and_content(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    assert guess_format(tmp_path / name) == expected


@pytest.mark.parametrize("text", ["Ilse,B-PER\nleft,O\n", "Corpus of travel texts\nLicence: CC0\n"])
def test_convert_takes_nothing_for_inline_markup_that_has_none(nlp, tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="CT326"):
        convert([path], tmp_path / "out.spacy", nlp)
    assert convert([path], tmp_path / "out.spacy", nlp, ReadOptions(format="inline")).docs == 1
    path.rename(tmp_path / "a.inline")
    assert convert([tmp_path / "a.inline"], tmp_path / "out.spacy", nlp).docs == 1


@pytest.mark.parametrize("options", [{"pos_column": 1}, {"scheme": "BIO"}, {"separator": "tab"}])
@pytest.mark.parametrize("text", ["Rome/PROPN fell/VERB\n", "[LOC Rome] fell ~.\n", "Rome fell ~.\n", "a \\[ b\n"])
def test_convert_reads_inline_markup_whatever_is_set_of_columns(nlp, tmp_path, text, options):
    (tmp_path / "a.txt").write_text(text)
    result = convert([tmp_path / "a.txt"], tmp_path / "out.spacy", nlp, ReadOptions(**options))
    assert set(result.formats.values()) == {"inline"}
    assert result.tokens == len(text.replace("[LOC ", "").split())


@pytest.mark.parametrize(
    ("text", "options", "code"), [("[LOC Rome\n", {}, "CT321"), ("[LOC a] b\n", {"has_ents": False}, "CT314")]
)
def test_convert_says_only_what_is_wrong_with_the_markup(nlp, tmp_path, text, options, code):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError) as caught:
        convert([tmp_path / "a.txt"], tmp_path / "out.spacy", nlp, ReadOptions(**options))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_convert_reads_columns_where_a_setting_says_so(nlp, tmp_path):
    (tmp_path / "a.csv").write_text("Ilse,B-PER\nleft,O\n")
    result = convert([tmp_path / "a.csv"], tmp_path / "out.spacy", nlp, ReadOptions(separator="comma"))
    assert (result.ents, set(result.formats.values())) == ({"PER": 1}, {"columns"})


def test_convert_leaves_entities_of_spacy_files_unknown_if_told_so(nlp, tmp_path):
    (tmp_path / "a.txt").write_text(INLINE)
    convert([tmp_path / "a.txt"], tmp_path / "a.spacy", nlp)
    result = convert([tmp_path / "a.spacy"], tmp_path / "b.spacy", nlp, ReadOptions(has_ents=False))
    assert not result.ents
    docs = DocBin().from_disk(tmp_path / "b.spacy").get_docs(nlp.vocab)
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)


def test_documents_of_files_with_one_stem_are_numbered_on(nlp, tmp_path):
    reader, names = SourceReader(nlp, ReadOptions()), []
    for folder in ("a", "b"):
        path = tmp_path / folder / "x.jsonl"
        path.parent.mkdir()
        path.write_text(f'{{"text": "x"}}\n{{"text": "y", "id": "x-{folder}"}}\n{{"text": "z"}}\n')
        names += [doc.user_data["ctx"]["id"] for doc in reader.read(path, [])]
    assert names == ["x-1", "x-a", "x-3", "x-4", "x-b", "x-5"]


@pytest.mark.parametrize(
    "values",
    [
        {"format": "x"},
        {"scheme": "x"},
        {"tag_set": "x"},
        {"on_misaligned": "x"},
        {"n_sents": -1},
        {"separator": ""},
        {"spans_key": ""},
        {"formt": "inline"},
    ],
)
def test_read_options_names_what_is_possible(values):
    with pytest.raises(ValueError, match=r"CT304.*Expected"):
        ReadOptions.from_dict(values)
