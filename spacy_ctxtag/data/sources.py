"""One door to all formats: which files an input means, which format a file has, and its documents as Docs.

Every Doc gets `user_data["ctx"]`: "id" (the source's own, else the file's name and a number), "source", "line", and
what the source said of the document ("domain", …). Whether the contents make sense is the matter of `validate`.
"""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Token
from spacy.vocab import Vocab

from ..errors import Errors
from .columns import SCHEMES, read_columns
from .conllu import read_conllu
from .inline import read_inline
from .jsonl import ON_MISALIGNED, read_jsonl
from .noun_chunks import add_noun_chunks
from .places import place_of
from .records import USER_DATA_KEY, Problem, Record, doc_meta

SUFFIXES: Dict[str, Tuple[str, ...]] = {
    "spacy": (".spacy",),
    "conllu": (".conllu",),
    "jsonl": (".jsonl",),
    "columns": (".tsv", ".conll", ".iob", ".iob2", ".bio", ".bioes", ".biluo", ".txt"),
    "inline": (".inline", ".txt"),
}
TAG_SETS = ("auto", "upos", "xpos")
_TAG = re.compile(r"O|-|[BILUES]-\S+")
_MARKUP = re.compile(r"(?m)^# [\w.-]+ = |(?:^| )[\[~]\S|\\\S|\S/[A-Z]+(?: |$)")
_INSIDE, _BEGIN = 1, 3  # spaCy's numbers for them in token.ent_iob


@dataclass(frozen=True)
class ReadOptions:
    """How to read sources. What a format does not know of is without effect there.

    format (str): "auto" (by suffix, `.txt` by content), "inline", "columns", "conllu", "jsonl" or "spacy".
    separator, token_column, tag_column, pos_column, chunk_column, scheme: As in `columns.read_columns`.
    n_sents (int): Sentences a document where documents are not marked (columns, conllu); 0: one document a file.
    tag_set (str): "upos", "xpos" or "auto" (inline, columns).
    has_ents (bool): Whether entities are annotated and are to be read.
    noun_chunks (bool): Whether to derive noun chunks from parts of speech, where there are none (see `noun_chunks`).
    spans_key (str): Chunks, read from a column or derived, go to `doc.spans[spans_key]`.
    on_misaligned (str): "error", "drop" or "expand" (jsonl).
    RAISES (ValueError): A setting that is not one of those (CT304).
    """

    format: str = "auto"
    separator: str = "auto"
    token_column: int = 0
    tag_column: int = -1
    pos_column: Optional[int] = None
    chunk_column: Optional[int] = None
    scheme: str = "auto"
    n_sents: int = 1
    tag_set: str = "auto"
    has_ents: bool = True
    noun_chunks: bool = False
    spans_key: str = "chunks"
    on_misaligned: str = "error"

    def __post_init__(self) -> None:
        allowed: Dict[str, Sequence[str]] = {
            "format": ("auto", *SUFFIXES),
            "scheme": ("auto", *SCHEMES),
            "tag_set": TAG_SETS,
            "on_misaligned": ON_MISALIGNED,
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                message = Errors.CT304.format(name=name, met=getattr(self, name), expected=", ".join(values))
                raise ValueError(message)
        if self.n_sents < 0:
            raise ValueError(Errors.CT304.format(name="n_sents", met=self.n_sents, expected="0 or more"))
        for name in ("separator", "spans_key"):
            if not getattr(self, name):
                raise ValueError(Errors.CT304.format(name=name, met="''", expected="a name or a string"))

    def format_of(self, path: Path) -> str:
        """RETURNS (str): The format that a file is read in: columns where nothing but a setting of them says so."""
        if self.format != "auto":
            return self.format
        guessed = guess_format(path)
        of_columns = ("separator", "token_column", "tag_column", "pos_column", "chunk_column", "scheme")
        is_set = any(getattr(self, name) != getattr(ReadOptions, name) for name in of_columns)
        return "columns" if guessed == "inline" and is_set and not _is_inline(path) else guessed

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ReadOptions":
        """Make options from a mapping, such as a section of a config. RAISES (ValueError): Unknown name (CT304)."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(Errors.CT304.format(name=name, met=values[name], expected=", ".join(known)))
        return cls(**values)


def find_files(
    inputs: Iterable[Path], problems: List[Problem], *, format: str = "auto", exclude: Optional[Path] = None
) -> List[Path]:
    """The files that inputs mean: a file itself, a folder all files below it with a suffix of the format, sorted.

    inputs (Iterable[Path]): Files and folders.
    problems (List[Problem]): Gets inputs that do not exist (CT305) and folders without such files (CT306).
    format (str): One of ReadOptions.format.
    exclude (Optional[Path]): A file that is not an input, such as the output inside an input folder.
    RETURNS (List[Path]): The files. Hidden files and folders are left out.
    """
    suffixes = SUFFIXES[format] if format != "auto" else sorted({s for group in SUFFIXES.values() for s in group})
    found: List[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = [
                p
                for p in sorted(path.rglob("*"))
                if p.suffix.lower() in suffixes
                and p.is_file()
                and not any(part.startswith(".") for part in p.relative_to(path).parts)
                and (exclude is None or p.resolve() != exclude.resolve())
            ]
            if not inside:
                problems.append(Problem(str(path), 0, Errors.CT306.format(suffixes=", ".join(suffixes))))
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            problems.append(Problem(str(path), 0, Errors.CT305))
    return found


def guess_format(path: Path) -> str:
    """The format of a file, by its suffix, and by its first lines where the suffix says too little.

    path (Path): The file.
    RETURNS (str): A key of SUFFIXES; "inline" where nothing else fits.
    """
    candidates = [name for name, suffixes in SUFFIXES.items() if path.suffix.lower() in suffixes]
    if len(candidates) == 1:
        return candidates[0]
    head = _head(path)
    lines = [line for line in head.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")[:200] if line.strip()]
    lines = [line for line in lines if not line.startswith(("# ", "-DOCSTART-"))][:-1] or lines
    if lines and all(line.lstrip().startswith(("{", '["')) for line in lines):
        return "jsonl"
    if lines and all(line.count("\t") == 9 for line in lines):
        return "conllu"
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines]
    if sum(len(row) > 1 and _TAG.fullmatch(row[-1]) is not None for row in rows) > 0.8 * len(rows):
        return "columns"  # most rows: the others are problems of columns
    return "columns" if lines and all("\t" in line for line in lines) else "inline"


def _head(path: Path) -> str:
    """The first lines of a file; none if it cannot be read, which its reader reports."""
    try:
        with path.open("rb") as handle:
            return handle.read(20_000).decode("utf8", errors="replace")
    except OSError:
        return ""


def _is_inline(path: Path) -> bool:
    """Whether a file is called so, or begins with something of the inline markup."""
    return path.suffix.lower() == ".inline" or _MARKUP.search(_head(path)) is not None


class SourceReader:
    """Reads the files of one collection, and names documents so that no two have the same name.

    nlp (Language): Gives the vocabulary, and the tokenizer for formats without tokens.
    options (ReadOptions): How to read.
    """

    def __init__(self, nlp: Language, options: ReadOptions) -> None:
        self.nlp = nlp
        self.options = options
        self._ids: Dict[str, str] = {}  # name of a document → where it is
        self._made: Dict[str, int] = {}  # stem of a file → the number behind that of the last name that was made of it

    def read(self, path: Path, problems: List[Problem]) -> Iterator[Doc]:
        """The documents of a file, lazily where the format allows it.

        path (Path): The file.
        problems (List[Problem]): Gets every problem; complete only when the last document has been taken.
        YIELDS (Doc): The documents. Where there are errors, what could be read.
        """
        format_ = self.options.format_of(path)
        is_docbin = format_ == "spacy"
        docs = _read_docbin(path, problems, self.nlp.vocab) if is_docbin else self._parse(path, format_, problems)
        empty = True
        before = len(problems)
        for number, (doc, line) in enumerate(docs, 1):
            empty = False
            meta = doc_meta(doc)
            name: Any = meta.get("id")
            where = f"{path}:{line}" if line else str(path)
            if name is None:
                n = max(number, self._made.get(path.stem, 0))
                while (name := f"{path.stem}-{n}") in self._ids:
                    n += 1
                self._made[path.stem] = n + 1
            elif name in self._ids:
                message = Errors.CT307.format(id=name, other=self._ids[name])
                problems.append(Problem(str(path), line, message, not is_docbin, str(name)))
            self._ids[name] = where
            defaults: Dict[str, Any] = {"id": name, "source": path.as_posix(), **({"line": line} if line else {})}
            doc.user_data[USER_DATA_KEY] = {**defaults, **meta}
            if is_docbin:
                _mend_entities(doc, path, problems)
                if not self.options.has_ents:
                    doc.set_ents([], default="missing")
            if self.options.noun_chunks:
                add_noun_chunks(doc, self.options.spans_key)
            yield doc
        if empty and not any(problem.is_error for problem in problems[before:]):
            problems.append(Problem(str(path), 0, Errors.CT308.format(format=format_)))

    def _parse(self, path: Path, format_: str, problems: List[Problem]) -> Iterator[Tuple[Doc, int]]:
        options = self.options
        records: Iterable[Record]
        if format_ == "inline":
            before = len(problems)
            records = read_inline(path, problems, tag_set=options.tag_set, has_ents=options.has_ents)
            is_plain = len(problems) == before and not any(r.tags or r.ents or r.missing or r.meta for r in records)
            if records and is_plain and options.format == "auto" and not _is_inline(path):
                problems.append(Problem(str(path), 0, Errors.CT326))
        elif format_ == "jsonl":
            records = read_jsonl(
                path, problems, self.nlp, on_misaligned=options.on_misaligned, has_ents=options.has_ents
            )
        elif format_ == "conllu":
            records = read_conllu(path, problems, n_sents=options.n_sents)
        else:
            records = read_columns(
                path,
                problems,
                separator=options.separator,
                token_column=options.token_column,
                tag_column=options.tag_column,
                pos_column=options.pos_column,
                chunk_column=options.chunk_column,
                scheme=options.scheme,
                tag_set=options.tag_set,
                has_ents=options.has_ents,
                spans_key=options.spans_key,
                n_sents=options.n_sents,
            )
        for record in records:
            if record.words:
                yield record.to_doc(self.nlp.vocab), record.line


def _read_docbin(path: Path, problems: List[Problem], vocab: Vocab) -> Iterator[Tuple[Doc, int]]:
    try:
        for doc in DocBin().from_disk(path).get_docs(vocab):
            yield doc, 0
    except Exception as err:  # zlib, msgpack and NumPy each have their own for bytes that are something else
        problems.append(Problem(str(path), 0, Errors.CT309.format(reason=f"{type(err).__name__}: {err}".rstrip("."))))


def _mend_entities(doc: Doc, path: Path, problems: List[Problem]) -> None:
    """Report tokens that go on with an entity that is not there, which no other reader lets pass, and let each of them
    begin one: spaCy cannot read the entities of such a Doc, or joins two of different labels."""
    rows: Any = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2)  # (T, 2)
    before = np.vstack([np.zeros((1, 2), dtype=rows.dtype), rows[:-1]])
    follows = np.isin(before[:, 0], (_INSIDE, _BEGIN)) & (before[:, 1] == rows[:, 1]) & (rows[:, 1] != 0)
    broken = np.flatnonzero((rows[:, 0] == _INSIDE) & ~follows)
    if not len(broken):
        return
    for i in broken.tolist():
        message = Errors.CT388.format(tag=_tag(doc[i]), before=_tag(doc[i - 1]) if i else "the start")
        problems.append(place_of(doc, path).problem(message, token=i, char=doc[i].idx))
    rows[broken, 0] = np.where(rows[broken, 1] != 0, _BEGIN, 0)
    doc.from_array([ENT_IOB, ENT_TYPE], rows)


def _tag(token: Token) -> str:
    return f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else token.ent_iob_ or "-"
