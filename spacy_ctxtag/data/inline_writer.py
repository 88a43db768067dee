"""Writes Docs in the inline markup, so that people can correct or annotate them in a text editor.

What is read back equals the Doc in tokens, spaces, sentence starts, entities, unknown entities, tags and metadata;
nothing else of a Doc has a place in the markup. A space after the last token is not kept.
"""

from typing import Any, Dict, Iterable, List, Tuple

from spacy.tokens import Doc, Span

from ..errors import Errors
from .markup import HEADER, write_label, write_token
from .records import RESERVED_KEYS, doc_meta


def to_inline(docs: Iterable[Doc], *, has_tags: bool = True, has_ents: bool = True) -> str:
    """Write documents in the inline markup.

    docs (Iterable[Doc]): The documents. One without sentence starts becomes one line.
    has_tags (bool): Whether to write tags: `pos_`, or `tag_` where no token has a `pos_`.
    has_ents (bool): Whether to write entities. Without them the file reads as one in which nothing is an entity.
    RETURNS (str): The text of a file; documents without a name are numbered.
    RAISES (ValueError): An empty document (CT330), some tokens with a tag and some without (CT331), or an entity that
        crosses a sentence border (CT332).
    """
    blocks: List[str] = []
    for number, doc in enumerate(docs, 1):
        meta = doc_meta(doc)
        name = str(meta.get("id") or f"doc-{number}")
        if not len(doc):
            raise ValueError(Errors.CT330.format(id=name))
        tags = _tags(doc, name) if has_tags else [""] * len(doc)
        lines = [f"# doc = {' '.join(name.split())}", *_headers(meta)]
        sents = list(doc.sents) if doc.has_annotation("SENT_START") else [doc[:]]
        lines.extend(_write_sentence(sent, tags, name, has_ents=has_ents) for sent in sents)
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _headers(meta: Dict[str, Any]) -> List[str]:
    """The metadata that fit on a line each."""
    headers = [f"# {key} = {str(value).strip()}" for key, value in meta.items() if key not in (*RESERVED_KEYS, "doc")]
    return [header for header in headers if HEADER.fullmatch(header) and not header.endswith("= ")]


def _tags(doc: Doc, name: str) -> List[str]:
    """The tag of every token, all empty where there are none."""
    pos = [token.pos_ for token in doc]
    tags = pos if any(pos) else [token.tag_ for token in doc]
    if any(tags) and not all(tags):
        i = tags.index("")
        raise ValueError(Errors.CT331.format(id=name, token=i, text=doc[i].text))
    return tags


def _write_sentence(sent: Span, tags: List[str], name: str, *, has_ents: bool) -> str:
    doc = sent.doc
    pieces: List[str] = []
    groups = {start: (end, label) for start, end, label in _groups(sent, name)} if has_ents else {}
    last = -1
    for token in sent:
        if token.i in groups:
            end, label = groups[token.i]
            pieces.append("[" + label)
            last = end - 1
        glued = token.i > 0 and not doc[token.i - 1].whitespace_
        piece = write_token(token.text, tags[token.i], glued=glued, is_first=token.i == sent.start)
        pieces.append(piece + "]" if token.i == last else piece)
    return " ".join(pieces)


def _groups(sent: Span, name: str) -> List[Tuple[int, int, str]]:
    """First token, one after the last and written label of what stands in brackets in a sentence."""
    groups: List[Tuple[int, int, str]] = []
    for ent in sent.doc.ents:
        if ent.start < sent.end and ent.end > sent.start:
            if ent.start < sent.start or ent.end > sent.end:
                raise ValueError(
                    Errors.CT332.format(id=name, start=ent.start, end=ent.end, text=ent.text, label=ent.label_)
                )
            groups.append((ent.start, ent.end, write_label(ent.label_)))
    for token in sent:
        if token.ent_iob == 0:
            if groups and groups[-1][1] == token.i and groups[-1][2] == write_label(None):
                groups[-1] = (groups[-1][0], token.i + 1, groups[-1][2])
            else:
                groups.append((token.i, token.i + 1, write_label(None)))
    return groups
