"""Mention replacement: an entity gives way to another one of the same label, from the documents or from a gazetteer."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..records import DataError, Problem
from ..sources import ReadOptions, SourceReader, find_files
from .augmenter import Augmenter
from .entries import read_entries, text_of
from .pool import Pool
from .reproject import Edit, Rows, blank_rows, read_rows, reproject


class Mention(NamedTuple):
    """A mention as it is put into a text: words, spaces after all but the last, and what is known of the tokens."""

    words: List[str]
    spaces: List[bool]
    rows: Rows


class ReplaceMentions(Augmenter):
    """Puts mentions in the place of others of their label; one that occurs again in a document gets the same one again.

    A mention from documents brings its tags, lemmas, inner heads and identifiers along. One from a gazetteer brings
    nothing: all of that is missing. In the sentence it has the head and dependents of the mention before it, if each
    of the two has just one token that the others depend on (one token alone always has); else they are missing.

    level (float): The share of documents that are changed.
    rate (float): The share of mentions that are replaced in these.
    path (Optional[Path]): A file or folder, in any format that `spacy-ctxtag.Corpus.v1` reads, whose mentions are used.
    gazetteer (Optional[Path]): A file of mentions, one a line: label, tab, mention; or .jsonl, objects with "label" and
        "mention". With neither `path` nor this, the mentions are those of the documents seen so far.
    labels (Optional[Sequence[str]]): Replace mentions of these labels only. None: of all.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390). DataError: An unreadable file; for `path` at the first document.
    """

    def __init__(
        self,
        *,
        level: float,
        rate: float,
        path: Optional[Path],
        gazetteer: Optional[Path],
        labels: Optional[Sequence[str]],
        seed: int,
    ) -> None:
        super().__init__(level=level, seed=seed)
        self.rate = self.share("rate", rate)
        self.labels = labels
        self.path = None if path is None else Path(path)
        self.entries = [] if gazetteer is None else read_gazetteer(Path(gazetteer))
        self.collects = path is None and gazetteer is None
        self.pool: Pool[Mention] = Pool()

    def see(self, nlp: Language, doc: Doc) -> None:
        """Collect the mentions of a Doc, or, before the first one, those of the files."""
        for label, text in self.entries:
            made = nlp.make_doc(text)
            words, spaces = [token.text for token in made], [bool(token.whitespace_) for token in made]
            self.pool.add(label, text, Mention(words, spaces, blank_rows(len(made))))
        self.entries = []
        if self.path is not None:
            for each in _read(self.path, nlp):
                self._collect(each)
            self.path = None
        if self.collects:
            self._collect(doc)

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy with other mentions."""
        chosen: Dict[Tuple[str, str], Optional[Mention]] = {}
        edits = []
        for ent in example.reference.ents:
            key = ent.label_, ent.text
            if self.labels is not None and ent.label_ not in self.labels:
                continue
            if key not in chosen:
                takes = self.rng.random() < self.rate
                chosen[key] = self.pool.draw(self.rng, ent.label_, ent.text) if takes else None
            mention = chosen[key]
            if mention is not None:
                spaces = [*mention.spaces[:-1], bool(ent[-1].whitespace_)]
                edits.append(Edit(ent.start, ent.end, mention.words, spaces, mention.rows))
        return reproject(nlp, example, edits) if edits else example

    def _collect(self, doc: Doc) -> None:
        wanted = [ent for ent in doc.ents if self.pool.wants(ent.label_, ent.text)]
        rows = read_rows(doc) if wanted else None
        for ent in wanted:
            if rows is not None and not any(token.is_space for token in ent):
                words, spaces = [token.text for token in ent], [bool(token.whitespace_) for token in ent]
                self.pool.add(ent.label_, ent.text, Mention(words, spaces, rows[ent.start : ent.end].copy()))


def read_gazetteer(path: Path) -> List[Tuple[str, str]]:
    """Read a gazetteer. RETURNS (List[Tuple[str, str]]): Labels and mentions. RAISES (DataError): As `read_entries`."""

    def parse(data: Dict[str, Any]) -> Optional[Tuple[str, str]]:
        label, mention = text_of(data, "label"), text_of(data, "mention")
        return (label, mention) if label and mention else None

    expected = 'a label, a tab and a mention; or, in a .jsonl file, {"label": "LOC", "mention": "Porto"}'
    return read_entries(path, ("label", "mention"), parse, expected)


def _read(path: Path, nlp: Language) -> List[Doc]:
    problems: List[Problem] = []
    reader = SourceReader(nlp, ReadOptions())
    docs = [doc for file_ in find_files([path], problems) for doc in reader.read(file_, problems)]
    if any(problem.is_error for problem in problems):
        raise DataError(problems)
    return docs


def create_replace_mentions_v1(
    level: float = 0.5,
    rate: float = 0.5,
    path: Optional[Path] = None,
    gazetteer: Optional[Path] = None,
    labels: Optional[List[str]] = None,
    seed: int = 0,
) -> ReplaceMentions:
    """Registered as `spacy-ctxtag.ReplaceMentions.v1`; settings as in `ReplaceMentions`."""
    return ReplaceMentions(level=level, rate=rate, path=path, gazetteer=gazetteer, labels=labels, seed=seed)
