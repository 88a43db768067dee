"""The registered reader that mixes corpora, such as those of several domains, in the shares that are asked for.

Nothing is left out: the corpus that is largest for its share comes once in an epoch, the others are repeated. So an
epoch is as short as the shares allow, and labels and texts are complete when a pipeline is initialized.
"""

import random
from typing import Any, Callable, Dict, Iterator, List, Optional

from spacy.language import Language
from spacy.training import Example

from ..errors import Errors


def create_mixed_corpora_v1(
    corpora: Dict[str, Any], weights: Optional[Dict[str, float]] = None, temperature: float = 1.0
) -> Callable[[Language], Iterator[Example]]:
    """Make the reader `spacy-ctxtag.MixedCorpora.v1`. Each time it is read, it gives its examples in random order.

    corpora (Dict[str, Any]): Any corpus readers, by names of your choice. A corpus that is repeated is read again, so
        that an augmenter in it makes other examples.
    weights (Optional[Dict[str, float]]): By the name of each corpus, its share of the examples, in any unit.
    temperature (float): Without weights, the share of a corpus of n examples goes with n^(1 / temperature): 1 takes all
        of them as they are, higher values raise the small ones, up to equal shares (Arivazhagan et al. 2019).
    RETURNS (Callable[[Language], Iterator[Example]]): The reader.
    RAISES (ValueError): CT304 for weights that are not above 0 or not those of the corpora, or for a temperature below
        1. When read: CT395 for a corpus without an example.
    """
    if not corpora:
        raise ValueError(Errors.CT304.format(name="corpora", met=corpora, expected="at least one corpus"))
    if weights is not None and (set(weights) != set(corpora) or min(weights.values()) <= 0):
        expected = f"a number above 0 for each of {', '.join(corpora)}"
        raise ValueError(Errors.CT304.format(name="weights", met=weights, expected=expected))
    if temperature < 1:
        raise ValueError(Errors.CT304.format(name="temperature", met=temperature, expected="1 or more"))

    def read_corpora(nlp: Language) -> Iterator[Example]:
        rng = random.Random(random.getrandbits(64))
        examples = {name: _read(name, corpus, nlp) for name, corpus in corpora.items()}
        sizes = {name: len(found) for name, found in examples.items()}
        shares = weights or {name: n ** (1 / temperature) for name, n in sizes.items()}
        for name, wanted in numbers(sizes, shares).items():
            while len(examples[name]) < wanted:
                again, missing = _read(name, corpora[name], nlp), wanted - len(examples[name])
                examples[name] += again if len(again) <= missing else rng.sample(again, missing)
        mixed = [eg for found in examples.values() for eg in found]
        rng.shuffle(mixed)
        yield from mixed

    return read_corpora


def numbers(sizes: Dict[str, int], shares: Dict[str, float]) -> Dict[str, int]:
    """RETURNS (Dict[str, int]): How many examples of each corpus an epoch has, in proportion to the shares: of one
    corpus as many as there are, of the others at least as many."""
    scale = max(n / shares[name] for name, n in sizes.items())
    return {name: max(n, round(scale * shares[name])) for name, n in sizes.items()}


def _read(name: str, corpus: Any, nlp: Language) -> List[Example]:
    examples = list(corpus(nlp))
    if not examples:
        raise ValueError(Errors.CT395.format(name=name))
    return examples
