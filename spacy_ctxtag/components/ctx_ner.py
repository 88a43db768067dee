"""`ctx_ner`: named entities by a linear-chain CRF over contextual vectors, each with its exact probability.

What it shares with other components that find spans is in `span_head`, what a Doc comes with in `presets`.
"""

import warnings
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from ..crf import Chains
from ..errors import Errors
from ..evaluation.mentions import hash_mentions
from ..warnings import Warnings
from . import defaults
from .ner_decoder import Decoding, Entities
from .ner_loss import NERLoss
from .ner_writer import annotate
from .presets import NOTHING, Presets, find_presets
from .span_head import SpanHead
from .token_chains import locate


@Language.factory(
    "ctx_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "doc.spans"],
    default_config=defaults.NER,
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_macro_f": 0.0,
        "ents_seq_acc": 0.0,
        "ents_per_type": None,
    },
)
def make_ctx_ner(
    nlp: Language,
    name: str,
    model: Model[List[Doc], Chains],
    scheme: str,
    respect_entities: bool,
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
) -> "CtxNER":
    """Construct a `ctx_ner`; see `CtxNER`, `Decoding` and `NERLoss` for the settings."""
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
    )
    return CtxNER(
        nlp.vocab,
        model,
        name,
        scheme=scheme,
        respect_entities=respect_entities,
        within_sentences=within_sentences,
        threshold=threshold,
        decoding=decoding,
        loss=loss,
        scorer=scorer,
    )


class CtxNER(SpanHead):
    """Sets `doc.ents`, and stores them with their probabilities in `doc.spans[name]` (`ent._.ctx_score`).

    An entity never begins or ends with white space. Entities that stand in the Doc before are kept, and the others are
    decided given them; blocked tokens stay free of entities. `doc.spans[name + "_alternatives"]` holds what else is
    probable, `doc.spans[name + "_best_1"]`, … whole analyses, if the config asks for them.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[List[Doc], Chains],
        name: str = "ctx_ner",
        *,
        scheme: str = "BILUO",
        respect_entities: bool = True,
        within_sentences: bool = False,
        threshold: float = 0.0,
        decoding: Optional[Decoding] = None,
        loss: Optional[NERLoss] = None,
        scorer: Optional[Callable[..., Any]] = None,
    ) -> None:
        """
        respect_entities (bool): Keep the entities and blocked tokens that a Doc comes with; else they are overwritten.
        The others are those of `SpanHead`.
        RAISES (ValueError): As there.
        """
        super().__init__(
            vocab,
            model,
            name,
            scheme=scheme,
            within_sentences=within_sentences,
            threshold=threshold,
            decoding=decoding or Decoding(name),
            loss=loss or NERLoss(name),
            scorer=scorer,
        )
        self.respect_entities = respect_entities
        self._chosen = False  # whether the labels are those that `initialize` was given, or has read
        self._told: Set[str] = set()  # labels of the annotation that are known to be none of them

    def set_annotations(self, docs: Iterable[Doc], entities: Sequence[Entities]) -> None:
        """Write entities and probabilities into Docs.

        docs (Iterable[Doc]): The Docs.
        entities (Sequence[Entities]): What `predict` gave.
        """
        for doc, found in zip(docs, entities, strict=True):
            annotate(doc, found, self._presets(doc), self.name, self.labels, self.decoding, self.cfg["threshold"])

    def correct(self, doc: Doc, span: Span, label: str = "") -> Doc:
        """Take over what a person says about one span, and decide all other entities of the Doc again, given that.

        doc (Doc): The Doc; it is changed. What others have set and does not overlap the span is kept.
        span (Span): The span.
        label (str): The label that it has; without one, its tokens are no part of any entity.
        RETURNS (Doc): The same Doc. A later run of the component keeps the correction, if it respects entities.
        RAISES (ValueError): CT410 for a label that the component does not have, CT411 for a span of another Doc, CT412
            for a span that cannot be an entity.
        """
        self._check_span(doc, span, label or None)
        presets = find_presets(doc, self.name).without(span)
        if label:
            if locate((span.start, span.end, 0), doc, self._find_chains(doc)) is None:
                raise ValueError(Errors.CT412.format(name=self.name, text=span.text))
            presets.entities.append(Span(doc, span.start, span.end, label=label))
        else:
            presets.blocked.extend(doc[i : i + 1] for i in range(span.start, span.end))
        [found] = self._decode([doc], [presets])
        annotate(doc, found, presets, self.name, self.labels, self.decoding, self.cfg["threshold"])
        return doc

    def get_loss(self, examples: Iterable[Example], scores: Chains) -> Tuple[float, Chains]:
        """As that of `SpanHead`. A trained component that goes on learning, as one that a config sources, keeps its
        labels, and warns of others in the annotation (CW420)."""
        examples = list(examples)
        if not self._chosen:
            labels = {label for eg in examples for label in self.loss.gold.labels_of(eg.reference)}
            others = labels - self._told - set(self.labels)
            self._told |= others
            if others:
                warnings.warn(Warnings.CW420.format(name=self.name, labels=", ".join(sorted(others))), stacklevel=3)
        return super().get_loss(examples, scores)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """As that of `SpanHead`. Hashes of the mentions are kept, so that scores can tell seen from unseen ones."""
        super().initialize(get_examples, nlp=nlp, labels=labels)
        self._chosen = True
        self.cfg["train_mentions"] = hash_mentions(get_examples())

    def _presets(self, doc: Doc) -> Presets:
        return find_presets(doc, self.name) if self.respect_entities else NOTHING
