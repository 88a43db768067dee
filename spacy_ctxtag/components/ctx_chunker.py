"""`ctx_chunker`: the spans of one layer, such as noun chunks, by the CRF of `ctx_ner`; learned from and written to
`doc.spans`, each with its exact probability."""

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from ..crf import Chains
from ..errors import Errors
from . import defaults
from .ner_decoder import Decoding, Entities
from .ner_loss import NERLoss
from .ner_writer import store
from .presets import NOTHING
from .span_gold import GroupGold
from .span_head import SpanHead


@Language.factory(
    "ctx_chunker",
    assigns=["doc.spans"],
    default_config=defaults.CHUNKER,
    default_score_weights={
        "spans_chunks_f": 1.0,
        "spans_chunks_p": 0.0,
        "spans_chunks_r": 0.0,
        "spans_chunks_per_type": None,
    },
)
def make_ctx_chunker(
    nlp: Language,
    name: str,
    model: Model[List[Doc], Chains],
    spans_key: str,
    scheme: str,
    within_sentences: bool,
    threshold: float,
    thresholds: Dict[str, float],
    alternatives: Optional[float],
    n_best: int,
    decode: str,
    mbr_cost: float,
    temperature: float,
    score_maps: Dict[str, List[List[float]]],
    incorrect_spans_key: Optional[str],
    costs: Dict[str, float],
    label_smoothing: float,
    entity_ratio: Optional[float],
    entity_ratio_margin: float,
    entity_ratio_weight: float,
    loss_weight: float,
    scorer: Optional[Callable[..., Any]],
) -> "CtxChunker":
    """Construct a `ctx_chunker`; see `CtxChunker`, `Decoding` and `NERLoss` for the settings."""
    decoding = Decoding(name, decode, mbr_cost, temperature, alternatives, n_best, thresholds, score_maps)
    loss = NERLoss(
        name,
        incorrect_spans_key,
        costs,
        label_smoothing,
        entity_ratio,
        entity_ratio_margin,
        entity_ratio_weight,
        loss_weight,
        GroupGold(name, spans_key),
    )
    return CtxChunker(
        nlp.vocab,
        model,
        name,
        spans_key=spans_key,
        scheme=scheme,
        within_sentences=within_sentences,
        threshold=threshold,
        decoding=decoding,
        loss=loss,
        scorer=scorer,
    )


class CtxChunker(SpanHead):
    """Sets `doc.spans[spans_key]`, with `attrs["scores"]` (`span._.ctx_score`), in place of a group that is there.

    Its spans do not overlap, and none begins or ends with white space. Those of another instance, under another key,
    may overlap them. `doc.spans[spans_key + "_alternatives"]` holds what else is probable, `doc.spans[spans_key +
    "_best_1"]`, … whole analyses, if the config asks for them.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[List[Doc], Chains],
        name: str = "ctx_chunker",
        *,
        spans_key: str = "chunks",
        scheme: str = "BILUO",
        within_sentences: bool = False,
        threshold: float = 0.0,
        decoding: Optional[Decoding] = None,
        loss: Optional[NERLoss] = None,
        scorer: Optional[Callable[..., Any]] = None,
    ) -> None:
        """
        spans_key (str): `doc.spans[spans_key]` is what is learned and set.
        The others are those of `SpanHead`.
        RAISES (ValueError): As there; CT404 for an empty key.
        """
        if not spans_key:
            raise ValueError(Errors.CT404.format(name=name, setting="spans_key", value="", expected="a name"))
        super().__init__(
            vocab,
            model,
            name,
            scheme=scheme,
            within_sentences=within_sentences,
            threshold=threshold,
            decoding=decoding or Decoding(name),
            loss=loss or NERLoss(name, gold=GroupGold(name, spans_key)),
            scorer=scorer,
        )
        self.spans_key = spans_key

    @property
    def key(self) -> str:
        """RETURNS (str): That of the group in `doc.spans` that is learned and set."""
        return self.spans_key

    def set_annotations(self, docs: Iterable[Doc], spans: Sequence[Entities]) -> None:
        """Write spans and probabilities into Docs.

        docs (Iterable[Doc]): The Docs.
        spans (Sequence[Entities]): What `predict` gave.
        """
        for doc, found in zip(docs, spans, strict=True):
            store(doc, found, NOTHING, self.spans_key, self.labels, self.decoding, self.cfg["threshold"])

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): spans_KEY_p, spans_KEY_r, spans_KEY_f and spans_KEY_per_type, by spaCy's scorer for
        spans. None where nothing is annotated."""
        return {} if self.scorer is None else self.scorer(examples, **{"spans_key": self.spans_key, **kwargs})

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Initialize the model and set the labels, as `SpanHead` does, once the examples are checked.

        RAISES (ValueError): As there; CT420 for gold spans that overlap.
        """
        super().initialize(get_examples, nlp=nlp, labels=labels)
        for eg in get_examples():
            self.loss.gold.check(eg.reference, self.labels)
