"""Between Docs and chains: which tokens form a chain, and annotations of a Doc as spans and masks of a chain.

White space stays out of every chain, so that no entity can begin or end with it. A chain is a whole Doc, or one of its
sentences. Spans are (start, end exclusive, label index) in tokens.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc
from spacy.training import Example

from ..crf import Chains
from ..tags import Grammar, LabelSpan, constraint_mask

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class DocChains(NamedTuple):
    """The chains of one Doc.

    tokens: For each chain the indices of its tokens (T',), never empty.
    words (T + 1,): How many tokens before each index are not white space.
    """

    tokens: List[Ints]
    words: Ints


def find_chains(doc: Doc, starts: Optional[Sequence[bool]] = None) -> DocChains:
    """Find the chains of a Doc.

    starts (Optional[Sequence[bool]]): Per token, whether a sentence begins there; None makes the Doc one chain.
    """
    is_word = doc.to_array([IS_SPACE]).reshape(-1) == 0
    if starts is None and is_word.all():  # mostly; the rest would find the same
        every = np.arange(len(doc) + 1)
        return DocChains([every[:-1]] if len(doc) else [], every)
    words = np.concatenate([[0], np.cumsum(is_word)])
    tokens = np.flatnonzero(is_word)
    first = np.flatnonzero(np.asarray([] if starts is None else starts, dtype=bool))
    chains = np.split(tokens, np.unique(words[first]))
    return DocChains([chain for chain in chains if len(chain)], words)


def sent_starts(doc: Doc, example: Optional[Example] = None) -> Optional[Sequence[bool]]:
    """RETURNS: Per token, whether a sentence begins: as the Doc says, else as the reference; None if neither does."""
    if doc.has_annotation("SENT_START"):
        starts = {sent.start for sent in doc.sents}
        return [i in starts for i in range(len(doc))]
    if example is not None and example.reference.has_annotation("SENT_START"):
        return [start == 1 for start in example.get_aligned("SENT_START")]
    return None


def take(chains: Chains, docs: Sequence[DocChains]) -> Chains:
    """From scores of whole Docs those of their chains, Doc after Doc."""
    picked = [scores[at] for scores, doc in zip(chains.emissions, docs, strict=True) for at in doc.tokens]
    return Chains(picked, chains.start, chains.transition, chains.end)


def put_back(gradient: Chains, docs: Sequence[DocChains], like: Chains) -> Chains:
    """The reverse of `take`, for a gradient: tokens outside all chains get zeros."""
    whole = [np.zeros_like(scores) for scores in like.emissions]
    parts = iter(gradient.emissions)
    for scores, doc in zip(whole, docs, strict=True):
        for at in doc.tokens:
            scores[at] = next(parts)
    return Chains(whole, gradient.start, gradient.transition, gradient.end)


def gold_masks(
    grammar: Grammar,
    spans: Sequence[LabelSpan],
    missing: Bools,
    doc: DocChains,
    open_tags: Optional[Bools] = None,
) -> List[Bools]:
    """The tags that an annotation admits on the chains of a Doc.

    spans: Entities of the Doc. One that crosses chains is taken as not known.
    missing (T,): Tokens of the Doc whose annotation is not known.
    open_tags (K,): Tags of labels that were not annotated at all, which any token outside may have.
    RETURNS (List[Bools]): For each chain (T', K).
    """
    masks = []
    for tokens in doc.tokens:
        inside, cut = to_chain(spans, tokens, doc.words)
        free = missing[tokens]
        free[cut] = True
        masks.append(constraint_mask(grammar, inside, free, open_tags))
    return masks


def preset_masks(grammar: Grammar, spans: Sequence[LabelSpan], taken: Bools, doc: DocChains) -> List[Optional[Bools]]:
    """The tags that entities set by others leave over on the chains of a Doc; None for a chain where they leave all.

    spans: Preset entities with a label of this grammar.
    taken (T,): Tokens of the Doc that are blocked, or in a preset entity of another label.
    """
    masks: List[Optional[Bools]] = []
    for tokens in doc.tokens:
        inside, cut = to_chain(spans, tokens, doc.words)
        outside = taken[tokens]
        outside[cut] = True
        masks.append(constraint_mask(grammar, inside, ~outside) if inside or outside.any() else None)
    return masks


def to_chain(spans: Sequence[LabelSpan], tokens: Ints, words: Ints) -> Tuple[List[LabelSpan], List[int]]:
    """Move spans of a Doc into a chain.

    RETURNS (Tuple): The spans whose words all lie in the chain, and the positions of the words of those that cross it.
    """
    inside: List[LabelSpan] = []
    cut: List[int] = []
    for start, end, label in spans:
        low, high = (int(at) for at in np.searchsorted(tokens, [start, end]))
        if low < high == low + words[end] - words[start]:
            inside.append((low, high, label))
        else:
            cut.extend(range(low, high))
    return inside, cut


def locate(span: LabelSpan, doc: Doc, chains: DocChains) -> Optional[Tuple[int, LabelSpan]]:
    """Find the chain of a span of a Doc.

    RETURNS (Optional[Tuple]): The chain's index, and the span there; None for a span that crosses chains, is empty, or
        begins or ends with white space, so that it cannot be an entity.
    """
    if span[0] == span[1] or doc[span[0]].is_space or doc[span[1] - 1].is_space:
        return None
    for i, tokens in enumerate(chains.tokens):
        inside, _ = to_chain([span], tokens, chains.words)
        if inside:
            return i, inside[0]
    return None
