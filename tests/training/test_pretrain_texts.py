"""Raw texts: what is read, from where, what is said of lines that cannot be, and which texts are held out."""

import gzip
import json
from pathlib import Path

import pytest

from spacy_ctxtag.data.records import DataError, Problem
from spacy_ctxtag.training.pretrain_texts import BEGIN, Place, raw_files, read_texts, survey


def write(path: Path, *lines: str) -> Path:
    """Write texts in the format that the name says."""
    if ".jsonl" in path.name:
        lines = tuple(json.dumps({"text": line, "meta": {}}) for line in lines)
    data = "".join(line + "\n" for line in lines).encode("utf8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def texts(*paths: Path, start: Place = BEGIN) -> list[str]:
    problems: list[Problem] = []
    found = [text for text, _ in read_texts(paths, problems, start)]
    assert problems == []
    return found


def problems_of(*paths: Path) -> list[str]:
    problems: list[Problem] = []
    for _ in read_texts(paths, problems):
        pass
    return [str(problem).replace(str(paths[0].parent), "") for problem in problems]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.jsonl.gz", "a.txt.gz", "A.TXT"])
def test_texts_of_every_format_are_read(tmp_path: Path, name: str) -> None:
    assert texts(write(tmp_path / name, "One Münze.", "", "  ", "Two\u2028 lines.")) == [
        "One Münze.",
        "Two\u2028 lines.",
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.txt.gz"])
def test_reading_goes_on_behind_any_text(tmp_path: Path, name: str) -> None:
    files = [write(tmp_path / name, "One ö.", "", "Two."), write(tmp_path / "b.txt", "Three.", "Four.")]
    found = list(read_texts(files, []))
    for i, (_, place) in enumerate(found):
        assert list(read_texts(files, [], place)) == found[i + 1 :]
    assert [place.line for _, place in found] == [1, 3, 1, 2]


def test_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfOne.\r\nTwo.\r\n")
    assert texts(tmp_path / "a.txt") == ["One.", "Two."]


def test_problems_have_file_and_line(tmp_path: Path) -> None:
    lines = ['{"text": "fine"}', '{"texts": "no"}', "{", '["text"]', '{"text": 3}', "", '{"text": "\\ud800 half"}']
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf8")
    found = problems_of(path)
    assert [line.split("]")[0] for line in found] == [
        "/a.jsonl:2: [CT553",
        "/a.jsonl:3: [CT360",
        "/a.jsonl:4: [CT553",
        "/a.jsonl:5: [CT553",
        "/a.jsonl:7: [CT363",
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"a\n\xff\xfe\n", ":2: [CT302"), ("a\n".encode("utf-16"), ":1: [CT303")],
)
def test_other_encodings_are_problems(tmp_path: Path, data: bytes, code: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert code in problems_of(tmp_path / "a.txt")[0]


def test_gzip_that_is_cut_off_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt.gz", *(f"text {i}" for i in range(1000)))
    path.write_bytes(path.read_bytes()[:-20])
    assert "[CT301]" in problems_of(path)[-1]
    path.write_bytes(b"no gzip at all")
    assert "[CT301]" in problems_of(path)[-1]


def test_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert ["[CT301]" in line for line in problems_of(tmp_path / "absent.txt")] == [True]


def test_reading_ends_after_many_problems(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text("no JSON\n" * 1000, encoding="utf8")
    assert len(problems_of(tmp_path / "b.jsonl")) == 50


def test_reading_is_lazy(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n' + "no JSON\n" * 10, encoding="utf8")
    problems: list[Problem] = []
    assert next(read_texts([tmp_path / "a.jsonl"], problems))[0] == "fine"
    assert problems == []


# Files


def test_folder_means_the_raw_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "b" / ".hidden").mkdir(parents=True)
    paths = [write(tmp_path / name, "x") for name in ("b/z.txt", "a.jsonl", "b/c.txt.gz")]
    for name in ("b/.hidden/x.txt", ".x.txt", "README.md"):
        write(tmp_path / name, "x")
    assert raw_files([tmp_path]) == sorted(paths)
    assert raw_files([paths[0], tmp_path / "a.jsonl"]) == [paths[0], paths[1]]


def test_files_that_are_none_are_problems(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "a.csv", "x")
    with pytest.raises(DataError, match=r"(?s)CT306.*CT305.*CT552.*\.jsonl, \.jsonl\.gz, \.txt"):
        raw_files([tmp_path / "empty", tmp_path / "no.txt", tmp_path / "a.csv"])


# What is held out

MANY = [f"Text number {i}." for i in range(200)]


def test_held_out_texts_depend_on_the_texts_alone(tmp_path: Path) -> None:
    one = survey([write(tmp_path / "a.txt", *MANY)], share=0.1, most=500)
    halves = [write(tmp_path / "b.jsonl", *MANY[150:]), write(tmp_path / "c.txt.gz", *reversed(MANY[:150]))]
    assert survey(halves, share=0.1, most=500) == one
    assert (len(one.held_out), one.to_learn) == (20, 180)


@pytest.mark.parametrize(("share", "most", "held_out"), [(0.001, 500, 1), (0.5, 500, 100), (0.5, 7, 7), (0.1, 15, 15)])
def test_share_and_number_of_held_out_texts(tmp_path: Path, share: float, most: int, held_out: int) -> None:
    found = survey([write(tmp_path / "a.txt", *MANY)], share=share, most=most)
    assert (len(found.held_out), found.to_learn) == (held_out, 200 - held_out)
    assert set(found.held_out) <= set(survey([tmp_path / "a.txt"], share=0.9, most=500).held_out)


def test_repeated_text_is_not_learned_where_it_is_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", *MANY, *MANY, *MANY)
    found = survey([path], share=0.1, most=20)
    assert (len(found.held_out), found.to_learn) == (20, 540)


def test_held_out_texts_of_their_own(tmp_path: Path) -> None:
    path, dev = write(tmp_path / "a.txt", *MANY), write(tmp_path / "dev.txt", "Another.", MANY[3], "Another.")
    found = survey([path], share=0.5, most=1, dev=[dev])
    assert (sorted(found.held_out), found.to_learn) == (sorted(["Another.", MANY[3]]), 199)


@pytest.mark.parametrize("lines", [[], ["", " "], ["One."], ["One.", "One."]])
def test_too_few_texts_are_an_error(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(ValueError, match="CT554"):
        survey([write(tmp_path / "a.txt", *lines)], share=0.5, most=10)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{}\n{"text": "fine"}\n{}\n', encoding="utf8")
    with pytest.raises(DataError, match=r"(?s)Errors in the data: 2.*a\.jsonl:1.*a\.jsonl:3"):
        survey([tmp_path / "a.jsonl"], share=0.5, most=10)
