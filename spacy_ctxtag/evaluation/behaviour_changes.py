"""Changes of a text that must not change what is found in it, and where what was found stands afterwards.

A change is an augmenter of `data/augment`, or sentences that are added. An augmenter carries the annotation of a Doc
over; here that annotation is what the pipeline found in the text before.
"""

from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Set

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

from ..data.augment.casing import create_casing_v1
from ..data.augment.chain import AnyAugmenter
from ..data.augment.char_noise import create_char_noise_v1
from ..data.augment.corpus import augment_docs
from ..data.augment.punctuation import create_punctuation_v1
from ..data.augment.replace_mentions import create_replace_mentions_v1
from ..data.augment.reproject import Edit, reproject
from ..data.augment.spaces import create_spaces_v1
from .behaviour_text import BehaviourError, Item

AUGMENTERS: Dict[str, Callable[..., AnyAugmenter]] = {
    "typos": create_char_noise_v1,
    "casing": create_casing_v1,
    "spaces": create_spaces_v1,
    "punctuation": create_punctuation_v1,
}
SAME_TOKENS = ("typos", "casing")
KINDS = (*AUGMENTERS, "mentions", "before", "after", "@augmenters")
TAGS = ("pos", "tag")
SPANS = "spans:"


class Variant(NamedTuple):
    """A changed text, what has to be found in it, and from where to where the text before stands in it."""

    text: str
    expected: Set[Item]
    start: int
    end: int


Vary = Callable[[Language, Doc], Iterator[Variant]]
MakeVary = Callable[[int, int], Vary]  # of a seed and a number of variants


def read_layer(doc: Doc, layer: str) -> Set[Item]:
    """RETURNS (Set[Item]): What a Doc has in a layer: "ents", "pos", "tag", or "spans:" and a key of `doc.spans`."""
    if layer in TAGS:
        values = [(token, getattr(token, f"{layer}_")) for token in doc if not token.is_space]
        return {(token.idx, token.idx + len(token), value) for token, value in values if value}
    return {(span.start_char, span.end_char, span.label_) for span in _spans(doc, layer)}


def bare_copy(doc: Doc, layer: str) -> Doc:
    """RETURNS (Doc): The same tokens, with what stands in one layer, and nothing else."""
    words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
    if layer in TAGS:
        tags = [getattr(token, f"{layer}_") for token in doc]
        is_tag = layer == "tag"
        return Doc(doc.vocab, words, spaces, tags=tags if is_tag else None, pos=None if is_tag else tags)
    copy = Doc(doc.vocab, words, spaces)
    spans = [Span(copy, span.start, span.end, label=span.label) for span in _spans(doc, layer)]
    if layer == "ents":
        copy.set_ents(spans)
    else:
        copy.spans[layer.removeprefix(SPANS)] = spans
    return copy


def make_change(settings: Mapping[str, Any], layer: str) -> MakeVary:
    """Make a change from its settings: one of KINDS, or `before` and `after` together.

    settings (Mapping[str, Any]): "typos", "casing", "spaces", "punctuation": the settings of an augmenter but level and
        seed; "mentions": by label what takes their places; "before", "after": sentences to be added; "@augmenters" with
        the settings of any registered augmenter. "outside": True, with typos and casing: spans stay as they are.
    layer (str): As for `read_layer`.
    RAISES (BehaviourError): Settings that cannot be used.
    """
    rest = {kind: setting for kind, setting in settings.items() if kind != "outside"}
    outside = settings.get("outside", False)
    kind = next(iter(rest), "")
    alone = len(rest) == 1 and kind in KINDS
    if not (alone or "@augmenters" in rest or (rest and set(rest) <= {"before", "after"})):
        raise BehaviourError(", ".join(map(str, rest)) or "nothing", f"one of {', '.join(KINDS)}")
    if outside is not False and (outside is not True or kind not in SAME_TOKENS or layer in TAGS):
        raise BehaviourError("`outside`", "it to be true, beside typos or casing, where spans are compared")
    if set(rest) <= {"before", "after"}:
        before, after = _texts(rest, "before"), _texts(rest, "after")
        if not before and not after:
            raise BehaviourError("no sentences", "a list of at least one")
        return partial(_make_surround, before, after, layer)
    make: Callable[[int], AnyAugmenter]
    if "@augmenters" in rest:
        make = partial(_registered, rest)
    elif kind == "mentions":
        if layer != "ents":
            raise BehaviourError(f"`mentions` with the layer {layer}", "the layer ents")
        mentions = rest[kind] if isinstance(rest[kind], dict) else {}
        pairs = [(label, text) for label in mentions for text in _texts(mentions, label)]
        if not pairs:
            raise BehaviourError("no mentions", "lists by their labels, such as {LOC: [Porto, Lyon]}")
        make = partial(_replace_mentions, pairs)
    else:
        given = {} if rest[kind] is None else rest[kind]
        make = partial(_short, kind, given)
    try:
        make(0)
    except (ValueError, TypeError, OSError) as error:
        raise BehaviourError(f"settings that cannot be used ({error})", "those of the augmenter") from error
    return partial(_make_augmented, make, layer, outside)


def _texts(settings: Mapping[str, Any], key: str) -> List[str]:
    """RETURNS (List[str]): A list of texts, or a single one; none without the key."""
    texts = settings.get(key, [])
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise BehaviourError(f"`{key}` with something else than texts", "a list of texts (quote numbers and dates)")
    return [text.strip() for text in texts]


def _registered(block: Mapping[str, Any], seed: int) -> AnyAugmenter:
    """Its seed is a setting of its own."""
    augmenter: AnyAugmenter = registry.resolve({"change": dict(block)})["change"]
    return augmenter


def _short(kind: str, settings: Mapping[str, Any], seed: int) -> AnyAugmenter:
    return AUGMENTERS[kind](level=1.0, seed=seed, **settings)


def _replace_mentions(mentions: Sequence[Any], seed: int) -> AnyAugmenter:
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, seed=seed)
    augmenter.entries, augmenter.collects = list(mentions), False
    return augmenter


def _make_augmented(make: Callable[[int], AnyAugmenter], layer: str, outside: bool, seed: int, n: int) -> Vary:
    augmenter = make(seed)

    def vary(nlp: Language, doc: Doc) -> Iterator[Variant]:
        known = {doc.text}
        for changed in augment_docs(nlp, [doc] * n, augmenter):
            made = _restore(nlp, doc, changed, layer) if outside else changed
            if made.text not in known:
                known.add(made.text)
                yield Variant(made.text, read_layer(made, layer), 0, len(made.text))

    return vary


def _restore(nlp: Language, doc: Doc, changed: Doc, layer: str) -> Doc:
    """RETURNS (Doc): The Doc with the words of another of as many tokens, where there are no spans."""
    inside = {token.i for span in _spans(doc, layer) for token in span}
    words = [(i, word.text) for i, word in enumerate(changed) if i not in inside and word.text != doc[i].text]
    bare = Doc(nlp.vocab, [token.text for token in doc], [bool(token.whitespace_) for token in doc])
    return reproject(nlp, Example(bare, doc), [Edit(i, i + 1, [word]) for i, word in words]).reference


def _make_surround(before: Sequence[str], after: Sequence[str], layer: str, seed: int, n: int) -> Vary:
    def vary(nlp: Language, doc: Doc) -> Iterator[Variant]:
        text, found = doc.text, read_layer(doc, layer)
        for sentence in before:
            by = len(sentence) + 1
            yield Variant(f"{sentence} {text}", {(a + by, b + by, label) for a, b, label in found}, by, by + len(text))
        for sentence in after:
            yield Variant(f"{text} {sentence}", found, 0, len(text))

    return vary


def _spans(doc: Doc, layer: str) -> List[Span]:
    return list(doc.ents if layer == "ents" else doc.spans.get(layer.removeprefix(SPANS), ()))
