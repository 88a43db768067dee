"""Builds the Example of a changed text: other words in place of slices of tokens, all annotation carried over.

An `Edit` says what stands where. One without a donor for as many tokens writes the same tokens differently: they keep
all annotation. Any other edit brings new tokens; what their donor says of them is taken over, all else about them is
missing, and around them

- an entity or span that holds the edit grows or shrinks with it;
- the syntactic head of the slice becomes that of the new tokens, if each has exactly one; then its head, label and
  dependents stay. All other arcs to and from the slice are missing;
- annotation is never lost: an edit of which an entity, a span or a sentence would be cut or lost is left out.

What was missing stays missing, and tokens outside of edits keep everything, the custom attributes in `user_data`
included. Vectors in `doc.tensor` are not carried over.
"""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import DEP, ENT_ID, ENT_IOB, ENT_KB_ID, ENT_TYPE, HEAD, LEMMA, MORPH, NORM, POS, SENT_START, SPACY, TAG
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

ATTRS = [TAG, POS, MORPH, LEMMA, NORM, HEAD, DEP, SENT_START, ENT_IOB, ENT_TYPE, ENT_KB_ID, ENT_ID]
TAG_, POS_, MORPH_, LEMMA_, NORM_, HEAD_, DEP_, START_, IOB_, TYPE_, KB_, ID_ = range(len(ATTRS))  # columns of Rows
_INSIDE, _OUTSIDE = 1, 2  # values of ENT_IOB; 3: begin, 0: missing

Rows = NDArray[np.uint64]  # (T, 12), one row a token, one column an attribute of ATTRS
Ints = NDArray[np.int64]


class Edit(NamedTuple):
    """Words in place of the tokens start..end of a reference; start = end, but not 0, inserts them.

    words (Sequence[str]): The new words, at least one.
    spaces (Optional[Sequence[bool]]): Whether a space follows each of them. None: as for the tokens they replace, or
        after all but the last where their number is another.
    donor (Optional[Rows]): What is known of the new tokens, as `read_rows` gives it. Heads count inside of it only. Its
        ENT_KB_ID and ENT_ID are those of an entity that is replaced as a whole. `blank_rows` knows nothing.
    """

    start: int
    end: int
    words: Sequence[str]
    spaces: Optional[Sequence[bool]] = None
    donor: Optional[Rows] = None

    @property
    def is_new(self) -> bool:
        """Whether the tokens are new ones, not the same written differently."""
        return self.donor is not None or len(self.words) != self.end - self.start


def read_rows(doc: Doc) -> Rows:
    """RETURNS (Rows): The annotation of all tokens of a Doc."""
    rows: Rows = np.asarray(doc.to_array(ATTRS), dtype=np.uint64).reshape(-1, len(ATTRS))
    return rows


def blank_rows(n: int) -> Rows:
    """RETURNS (Rows): Rows of n tokens of which nothing is known."""
    return np.zeros((n, len(ATTRS)), dtype=np.uint64)


def reproject(nlp: Language, example: Example, edits: Sequence[Edit], predicted: Optional[Doc] = None) -> Example:
    """Build the Example of an edited reference.

    nlp (Language): Its tokenizer makes the predicted Doc, as in use, also for an Example that has the reference's own
        tokens. Where the spaces between the words are not known, the new reference's words are taken.
    example (Example): The Example; it is not changed.
    edits (Sequence[Edit]): Sorted, none overlapping another.
    predicted (Optional[Doc]): The predicted Doc, for who knows better.
    RETURNS (Example): The new one, or the given one if there is nothing to edit.
    """
    old = example.reference
    edits = _lawful(old, edits)
    if not edits:
        return example
    reference = _edit(old, edits)
    if predicted is None and old.has_unknown_spaces:
        spaces = [bool(token.whitespace_) for token in reference]
        predicted = Doc(nlp.vocab, words=[token.text for token in reference], spaces=spaces)
    return Example(nlp.make_doc(reference.text) if predicted is None else predicted, reference)


def _lawful(doc: Doc, edits: Sequence[Edit]) -> List[Edit]:
    """The edits that cut and lose nothing."""
    if not any(edit.is_new and edit.start < edit.end for edit in edits):
        return list(edits)
    spans = [(ent.start, ent.end) for ent in doc.ents]
    spans += [(span.start, span.end) for group in doc.spans.values() for span in group]
    opens = doc.to_array(SENT_START) == 1  # (T,)

    def is_lawful(edit: Edit) -> bool:
        start, end = edit.start, edit.end
        if not edit.is_new or start == end:
            return True
        touched = [span for span in spans if span[0] < end and start < span[1]]
        return not opens[start + 1 : end].any() and all(left <= start and end <= right for left, right in touched)

    return [edit for edit in edits if is_lawful(edit)]


class _Places:
    """Where old tokens are in the new Doc; -1: nowhere.

    kept (T,): The new index of a token that is the same.
    heads (T,): The new index of what a dependent of the token depends on now.
    first, last (T,): The new index of what a span begins with that began here, and ends with that ended here.
    """

    def __init__(self, n: int) -> None:
        self.kept, self.heads, self.first, self.last = (np.full(n, -1, dtype=np.int64) for _ in range(4))

    def move(self, start: int, end: int) -> Optional[Tuple[int, int]]:
        """The new borders of a span; None if one of them is gone."""
        if start == end:
            at = int(self.last[start - 1]) + 1 if start else 0
            return (at, at) if start == 0 or at else None
        first, last = int(self.first[start]), int(self.last[end - 1])
        return None if first < 0 or last < 0 else (first, last + 1)


def _edit(old: Doc, edits: Sequence[Edit]) -> Doc:
    rows, n = read_rows(old), len(old)  # (T, A)
    old_words = [token.text for token in old]
    old_spaces = [bool(space) for space in old.to_array(SPACY)]
    words: List[str] = []
    spaces: List[bool] = []
    source: List[int] = []  # for each new token the old one that it is, or whose head it has; -1: none
    made: List[Tuple[int, Edit]] = []  # edits that bring new tokens, and where they begin now
    rewritten: List[int] = []  # tokens that are the same, with another word
    at = 0
    for edit in [*edits, Edit(n, n, ())]:
        words.extend(old_words[at : edit.start])
        spaces.extend(old_spaces[at : edit.start])
        source.extend(range(at, edit.start))
        if edit.is_new:
            made.append((len(words), edit))
            source.extend([-1] * len(edit.words))
        else:
            before = old_words[edit.start : edit.end]
            rewritten += [len(words) + i for i, word in enumerate(edit.words) if word != before[i]]
            source.extend(range(edit.start, edit.end))
        words.extend(edit.words)
        spaces.extend(_spaces(edit, old_spaces))
        at = edit.end
    origin = np.asarray(source, dtype=np.int64)  # (T',)
    same = np.flatnonzero(origin >= 0)
    places = _Places(n)
    for place in (places.kept, places.heads, places.first, places.last):
        place[origin[same]] = same
    new = np.where(origin[:, None] >= 0, rows[origin], np.uint64(0))  # (T', A)
    new[rewritten, NORM_] = 0  # then it is that of the new word
    for start, edit in made:
        new[start : start + len(edit.words)] = _new_rows(rows, edit)
        _connect(rows, new, edit, start, origin, places)
    _set_heads(rows, new, origin, places.heads)
    doc = _make_doc(old, words, spaces, new)
    _move_spans(old, doc, places)
    _move_user_data(old, doc, places)
    return doc


def _spaces(edit: Edit, old: Sequence[bool]) -> Sequence[bool]:
    if edit.spaces is not None:
        return edit.spaces
    if len(edit.words) == edit.end - edit.start:
        return old[edit.start : edit.end]
    return [*[True] * (len(edit.words) - 1), edit.start == edit.end or old[edit.end - 1]]


def _new_rows(rows: Rows, edit: Edit) -> Rows:
    """The rows of new tokens, all but what comes from arcs with tokens outside."""
    start, end, n = edit.start, edit.end, len(edit.words)
    new = blank_rows(n) if edit.donor is None else edit.donor.copy()
    if edit.donor is None or start == end or _root(new) is None:
        new[:, [HEAD_, DEP_]] = 0
    new[:, [START_, IOB_, TYPE_, KB_, ID_]] = 0
    low, high = (max(0, start - 1), start + 1) if start == end else (start, end)
    around = rows[low:high]
    starts = rows[max(1, low) : high, START_]  # the first token of a Doc always is one
    is_known = starts.all() if len(starts) else len(rows) > 1 and rows[1:, START_].all()
    new[:, START_] = np.uint64(2**64 - 1) if is_known else 0  # -1: none begins there
    if start < end:
        new[0, START_] = rows[start, START_]
    inside = start < len(rows) and rows[start, TYPE_] != 0 and (start < end or rows[start, IOB_] == _INSIDE)
    if inside:
        new[:, [IOB_, TYPE_, KB_, ID_]] = rows[start, [IOB_, TYPE_, KB_, ID_]]
        new[1 if start < end else 0 :, IOB_] = _INSIDE
        is_whole = rows[start, IOB_] != _INSIDE and (end == len(rows) or rows[end, IOB_] != _INSIDE)
        if start < end and is_whole and edit.donor is not None:
            new[:, [KB_, ID_]] = edit.donor[0, [KB_, ID_]]
    elif start == end:
        new[:, IOB_] = _OUTSIDE if around[:, IOB_].all() else 0
    else:
        values = np.unique(around[:, IOB_])
        new[:, IOB_] = values[0] if len(values) == 1 else 0
    return new


def _root(rows: Rows) -> Optional[int]:
    """The token of a slice on which all others of it depend; None if there is not exactly one, or a head is missing."""
    if len(rows) == 0 or not rows[:, DEP_].all():
        return None
    relative = rows.view(np.int64)[:, HEAD_]
    heads = np.arange(len(rows)) + relative
    roots = np.flatnonzero((heads < 0) | (heads >= len(rows)) | (relative == 0))
    return int(roots[0]) if len(roots) == 1 else None


def _connect(rows: Rows, new: Rows, edit: Edit, start: int, origin: Ints, places: _Places) -> None:
    """Put the new tokens of an edit in the places of the old ones. Changes `new`, `origin` and `places`."""
    n = len(edit.words)
    if edit.start == edit.end:
        return
    places.first[edit.start], places.last[edit.end - 1] = start, start + n - 1
    old_root = _root(rows[edit.start : edit.end])
    root = 0 if n == 1 else _root(new[start : start + n])
    if old_root is None or root is None:
        new[start : start + n, [HEAD_, DEP_]] = 0
        return
    origin[start + root] = edit.start + old_root  # it has the head of the old root, wherever that is now
    places.heads[edit.start + old_root] = start + root
    new[start + root, DEP_] = rows[edit.start + old_root, DEP_]


def _set_heads(rows: Rows, new: Rows, origin: Ints, places: Ints) -> None:
    """Set the heads of all tokens that have those of old ones; one that is gone is missing. Changes `new`."""
    old_heads = np.arange(len(rows)) + rows.view(np.int64)[:, HEAD_]  # (T,), absolute
    known = np.flatnonzero(origin >= 0)
    heads = places[old_heads[origin[known]]]
    gone = heads < 0
    new.view(np.int64)[known, HEAD_] = np.where(gone, 0, heads - known)
    new[known[gone], DEP_] = 0


def _make_doc(old: Doc, words: List[str], spaces: List[bool], rows: Rows) -> Doc:
    doc = Doc(old.vocab, words=words, spaces=spaces)
    doc.has_unknown_spaces = old.has_unknown_spaces
    used = np.asarray(rows.any(axis=0), dtype=bool)  # (A,)
    used[HEAD_] = used[DEP_]
    has_starts, used[START_] = used[START_] or used[DEP_], False
    values: Any = rows  # spaCy's stubs ask for arrays of Thinc
    columns = np.flatnonzero(used)
    if len(columns):
        doc.from_array([ATTRS[column] for column in columns], values[:, columns])
    if has_starts:  # heads set them, too, but as if all were known
        doc.from_array([SENT_START], values[:, [START_]])
    doc.cats = dict(old.cats)
    return doc


def _move_spans(old: Doc, doc: Doc, places: _Places) -> None:
    for key, group in old.spans.items():
        spans = []
        for span in group:
            borders = places.move(span.start, span.end)
            if borders is not None:  # only an empty span inside of new tokens has none
                spans.append(Span(doc, *borders, label=span.label, kb_id=span.kb_id, span_id=span.id))
        doc.spans[key] = SpanGroup(doc, name=group.name, attrs=dict(group.attrs), spans=spans)


def _move_user_data(old: Doc, doc: Doc, places: _Places) -> None:
    """Custom attributes of tokens and spans are kept under their offsets in characters, which have moved."""
    data: Dict[Any, Any] = old.user_data  # the keys are strings, or tuples
    moved: Dict[Any, Any] = doc.user_data
    offsets = [key for key in data if _is_offset(key)]
    for key, value in data.items():
        if not _is_offset(key):
            moved[key] = value
    if offsets:
        begins = {token.idx: token.i for token in old}
        ends = {token.idx + len(token): token.i for token in old}
        for key in offsets:
            for borders in _find(key, begins, ends, places):
                first, last = doc[borders[0]], doc[borders[1] - 1]
                end = None if key[3] is None else last.idx + len(last)
                moved[(*key[:2], first.idx, end)] = data[key]


def _is_offset(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and key[2] is not None


def _find(key: Any, begins: Dict[int, int], ends: Dict[int, int], places: _Places) -> Iterator[Tuple[int, int]]:
    """The token or span of a key in the new Doc, if it is there."""
    first = begins.get(key[2])
    if first is None:
        return
    if key[3] is None:
        at = int(places.kept[first])
        if at >= 0:
            yield at, at + 1
    elif key[3] in ends and ends[key[3]] >= first:
        borders = places.move(first, ends[key[3]] + 1)
        if borders is not None:
            yield borders
