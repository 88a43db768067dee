"""Token masking: words are hidden, so that the model has to learn from their neighbours what they are.

The annotation stays that of the words which stood there. Tokens that the tokenizer cuts in another way than the
reference are left alone, as are white space and punctuation.
"""

from typing import Dict, Hashable, Iterator, List, Optional, Tuple

from spacy.language import Language
from spacy.tokens import Doc, Token
from spacy.training import Example

from .augmenter import Augmenter
from .pool import Pool
from .reproject import Edit, reproject

WHERE = ("any", "entities", "outside")


class MaskTokens(Augmenter):
    """Puts a mask, or another word, in the place of words.

    The predicted Doc has the mask as one token, too, whatever the tokenizer would make of it. The encoder reads it as
    text: its pieces are those of the letters "[MASK]", not the special piece.

    level (float): The share of documents that are changed.
    rate (float): The share of words that are masked in these.
    mask (Optional[str]): What is put there. None: another word of the documents so far, from outside of entities for a
        word outside of them, and from an entity of the same label for one inside.
    where (str): Which words: "any", those in "entities", or those "outside".
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390).
    """

    def __init__(self, *, level: float, rate: float, mask: Optional[str], where: str, seed: int) -> None:
        super().__init__(level=level, seed=seed)
        self.rate = self.share("rate", rate)
        if mask is not None and mask.split() != [mask]:
            self.refuse("mask", mask, "a word without white space, or null for another word of the documents")
        self.mask = mask
        self.where = self.choice("where", where, WHERE)
        self.pool: Pool[str] = Pool()

    def see(self, nlp: Language, doc: Doc) -> None:
        """Collect the words of a Doc, if they are to be put in the place of others."""
        if self.mask is None:
            for token in self._words(doc):
                self.pool.add(_kind(token), token.text, token.text)

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy with masks."""
        predicted = example.predicted
        same: Dict[Tuple[int, str], int] = {(token.idx, token.text): token.i for token in predicted}
        words: List[str] = [token.text for token in predicted]
        edits: List[Edit] = []
        for token in self._words(example.reference):
            at = same.get((token.idx, token.text))
            if at is None or self.rng.random() >= self.rate:
                continue
            word = self.mask
            if word is None:
                word = self.pool.draw(self.rng, _kind(token), token.text)
            if word is not None and word != token.text:
                edits.append(Edit(token.i, token.i + 1, [word]))
                words[at] = word
        spaces = [bool(token.whitespace_) for token in predicted]
        return reproject(nlp, example, edits, Doc(predicted.vocab, words=words, spaces=spaces)) if edits else example

    def _words(self, doc: Doc) -> Iterator[Token]:
        for token in doc:
            if not (token.is_space or token.is_punct):
                is_inside = token.ent_type != 0
                if self.where == "any" or is_inside == (self.where == "entities"):
                    yield token


def _kind(token: Token) -> Hashable:
    """What a word can be replaced with: words of the same label, or of none, or of which the label is not known."""
    return token.ent_type if token.ent_iob else None


def create_mask_tokens_v1(
    level: float = 0.5, rate: float = 0.15, mask: Optional[str] = "[MASK]", where: str = "any", seed: int = 0
) -> MaskTokens:
    """Registered as `spacy-ctxtag.MaskTokens.v1`; settings as in `MaskTokens`."""
    return MaskTokens(level=level, rate=rate, mask=mask, where=where, seed=seed)
