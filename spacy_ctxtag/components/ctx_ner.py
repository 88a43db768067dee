"""`ctx_ner`: named entities by a linear-chain CRF over contextual vectors, each with its exact probability."""

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Config, Model

from ..crf import Chains, nll, posterior, span_log_probs, viterbi
from ..errors import Errors
from ..tags import Grammar, LabelSpan, make_grammar, tags_to_spans
from ..training.fingerprint import record_training_texts
from .ctx_pipe import CtxPipe
from .span_scores import register_extensions, store_scores
from .token_chains import DocChains, find_chains, gold_masks, preset_masks, put_back, take

DEFAULT_CONFIG = """
[component]
scheme = "BILUO"
respect_entities = true
within_sentences = false
threshold = 0.0

[component.scorer]
@scorers = "spacy-ctxtag.ner_scorer.v1"

[component.model]
@architectures = "spacy-ctxtag.NER.v1"

[component.model.tok2vec]
@architectures = "spacy-ctxtag.Features.v1"

[component.model.tok2vec.encoder]
@architectures = "spacy-ctxtag.Encoder.v1"

[component.model.tok2vec.encoder.backbone]
@misc = "spacy-ctxtag.MiniLM.v1"

[component.model.tok2vec.characters]
@layers = "spacy-ctxtag.CharCNN.v1"

[component.model.tok2vec.orthography]
@layers = "spacy-ctxtag.Orthography.v1"
"""


class Entities(NamedTuple):
    """What is predicted for one Doc: N entities as (start, end exclusive, label index) in tokens, and probabilities."""

    spans: List[LabelSpan]
    scores: List[float]


@Language.factory(
    "ctx_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "doc.spans"],
    default_config=Config().from_str(DEFAULT_CONFIG)["component"],
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
    scorer: Optional[Callable[..., Any]],
) -> "CtxNER":
    """Construct a `ctx_ner`; see `CtxNER` for the settings."""
    return CtxNER(
        nlp.vocab,
        model,
        name,
        scheme=scheme,
        respect_entities=respect_entities,
        within_sentences=within_sentences,
        threshold=threshold,
        scorer=scorer,
    )


class CtxNER(CtxPipe):
    """Sets `doc.ents`, and stores them with their probabilities in `doc.spans[name]` (`ent._.ctx_score`).

    An entity never begins or ends with white space. Entities that stand in the Doc before are kept, and the others are
    decided given them; blocked tokens stay free of entities.
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
        scorer: Optional[Callable[..., Any]] = None,
    ) -> None:
        """
        model (Model): From Docs to the scores of a chain, e.g. spacy-ctxtag.NER.v1.
        scheme (str): "BILUO" (BIOES by another name) or "BIO".
        respect_entities (bool): Keep the entities and blocked tokens that a Doc comes with; else they are overwritten.
        within_sentences (bool): Decode every sentence on its own, so that no entity crosses one.
        threshold (float): Entities with a lower probability are dropped.
        scorer (Optional[Callable]): What `score` calls.
        RAISES (ValueError): CT404 for a threshold outside [0, 1], CT100 for an unknown scheme.
        """
        if not 0.0 <= threshold <= 1.0:
            raise ValueError(
                Errors.CT404.format(name=name, setting="threshold", value=threshold, expected="a number in [0, 1]")
            )
        make_grammar((), scheme)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scheme = scheme
        self.respect_entities = respect_entities
        self.within_sentences = within_sentences
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {"labels": [], "threshold": threshold}
        self._configured_threshold = threshold
        register_extensions()

    # Labels

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): The labels, in the order in which they were added."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): What `init labels` writes and `initialize` takes."""
        return self.labels

    @property
    def grammar(self) -> Grammar:
        """RETURNS (Grammar): The tags of the labels, and the moves that the scheme allows."""
        return make_grammar(self.labels, self.scheme)

    def add_label(self, label: str) -> int:
        """Add a label, also to a trained component, which keeps what it has learned.

        RETURNS (int): 1, or 0 if it was there.
        RAISES (ValueError): CT400 when it is not a string or empty.
        """
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.CT400.format(name=self.name, label=label))
        if label in self.labels:
            return 0
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        if self.model.get_ref("output_layer").has_param("W"):
            self.set_output(len(self.grammar.tags))
        return 1

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[Entities]:
        """Find entities without changing the Docs.

        RETURNS (List[Entities]): For each Doc its entities in order, those set beforehand included where they have one
            of the component's labels, with probability 1.
        """
        docs = list(docs)
        chains = self.model.predict(docs)
        found = [find_chains(doc, self._sent_starts(doc)) for doc in docs]
        grammar = self.grammar
        masks = [mask for doc, of_doc in zip(docs, found, strict=True) for mask in self._presets(doc, of_doc, grammar)]
        chains = take(chains, found)
        paths = iter(viterbi(chains, grammar, masks))
        posteriors = iter(posterior(chains, grammar, masks))
        results = []
        for doc in found:
            spans: List[LabelSpan] = []
            scores: List[float] = []
            for tokens in doc.tokens:
                in_chain = tags_to_spans(grammar, next(paths))
                log_probs = span_log_probs(next(posteriors), in_chain)
                spans.extend((int(tokens[i]), int(tokens[j - 1]) + 1, label) for i, j, label in in_chain)
                scores.extend(np.exp(log_probs).tolist())
            results.append(Entities(spans, scores))
        return results

    def set_annotations(self, docs: Iterable[Doc], entities: Sequence[Entities]) -> None:
        """Write entities and probabilities into Docs.

        docs (Iterable[Doc]): The Docs.
        entities (Sequence[Entities]): What `predict` gave.
        """
        labels, threshold = self.labels, self.cfg["threshold"]
        for doc, (spans, scores) in zip(docs, entities, strict=True):
            kept = list(doc.ents) if self.respect_entities else []
            blocked = _blocked(doc) if self.respect_entities else []
            preset = np.zeros((len(doc),), dtype=bool)
            for ent in kept:
                preset[ent.start : ent.end] = True
            scored = [(ent, 1.0) for ent in kept if ent.label_ in labels]
            for (start, end, label), score in zip(spans, scores, strict=True):
                if not preset[start:end].any() and score >= threshold:
                    ent = Span(doc, start, end, label=labels[label])
                    kept.append(ent)
                    scored.append((ent, score))
            doc.set_ents(kept, blocked=blocked, default="outside")
            scored.sort(key=lambda pair: pair[0].start)
            store_scores(doc, self.name, [ent for ent, _ in scored], [score for _, score in scored])

    # Training

    def is_annotated(self, example: Example) -> bool:
        """RETURNS (bool): Whether entities are annotated, or known to be absent, anywhere in the example."""
        has_words = any(not token.is_space for token in example.predicted)
        return has_words and example.reference.has_annotation("ENT_IOB")

    def get_loss(self, examples: Iterable[Example], scores: Chains) -> Tuple[float, Chains]:
        """The negative log-likelihood of the annotation, summed over the examples. What is not annotated is summed
        over (marginalised), and mentions of labels that the component does not have count as outside.

        RETURNS (Tuple[float, Chains]): The loss in nats, and its gradient.
        RAISES (ValueError): CT402 when the scores are not numbers.
        """
        if not all(
            np.isfinite(each).all() for each in (*scores.emissions, scores.start, scores.transition, scores.end)
        ):
            raise ValueError(Errors.CT402.format(name=self.name))
        grammar, index = self.grammar, {label: i for i, label in enumerate(self.labels)}
        found: List[DocChains] = []
        masks = []
        for eg in examples:
            ents, tags = eg.get_aligned_ents_and_ner()
            missing = np.array([tag is None or tag == "-" for tag in tags], dtype=bool)
            spans = [(ent.start, ent.end, index[ent.label_]) for ent in ents if ent.label_ in index]
            found.append(find_chains(eg.predicted, self._sent_starts(eg.predicted, eg)))
            masks.extend(gold_masks(grammar, spans, missing, found[-1]))
        losses, gradient = nll(take(scores, found), grammar, masks)
        return float(losses.sum()), put_back(gradient, found, scores)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Initialize the model and set the labels.

        get_examples (Callable): Gives a representative sample of examples.
        nlp (Optional[Language]): The pipeline; the hashes of the examples' texts are kept in its meta.
        labels (Optional[Sequence[str]]): The labels, else they are read off the examples. Labels added before stay.
        RAISES (ValueError): CT401 without a label, CT405 without an example.
        """
        sample = self.take_sample(get_examples)
        if labels is None:
            labels = sorted({ent.label_ for eg in get_examples() for ent in eg.reference.ents})
        for label in labels:
            self.add_label(label)
        if not self.labels:
            raise ValueError(Errors.CT401.format(name=self.name, what="no entity in any example"))
        if nlp is not None:
            record_training_texts(nlp.meta, (eg.reference.text for eg in get_examples()))
        self.set_output(len(self.grammar.tags))
        self.model.initialize(X=sample)

    # Serialization

    def cfg_to_save(self) -> Dict[str, Any]:
        """A threshold that was set after construction (as `spacy find-threshold` does) is kept, and the one of the
        config beside it: a config that says otherwise at load wins."""
        return {**self.cfg, "configured_threshold": self._configured_threshold}

    def load_cfg(self, saved: Dict[str, Any]) -> None:
        saved = dict(saved)
        if saved.pop("configured_threshold", None) != self._configured_threshold:
            saved.pop("threshold", None)
        self.cfg.update(saved)

    # What a Doc comes with

    def _sent_starts(self, doc: Doc, example: Optional[Example] = None) -> Optional[Sequence[bool]]:
        """RETURNS: Per token, whether a sentence begins; None where Docs are decoded whole."""
        if not self.within_sentences or len(doc) == 0:
            return None
        if doc.has_annotation("SENT_START"):
            starts = {sent.start for sent in doc.sents}
            return [i in starts for i in range(len(doc))]
        if example is not None and example.reference.has_annotation("SENT_START"):
            return [start == 1 for start in example.get_aligned("SENT_START")]
        raise ValueError(Errors.CT403.format(name=self.name))

    def _presets(self, doc: Doc, chains: DocChains, grammar: Grammar) -> List[Any]:
        """RETURNS (List): For each chain the tags that entities and blocks of the Doc leave over, or None."""
        if not self.respect_entities or not doc.has_annotation("ENT_IOB"):
            return [None] * len(chains.tokens)
        taken = np.zeros((len(doc),), dtype=bool)
        spans = []
        for ent in doc.ents:
            if ent.label_ in self.labels:
                spans.append((ent.start, ent.end, self.labels.index(ent.label_)))
            else:
                taken[ent.start : ent.end] = True
        for block in _blocked(doc):
            taken[block.start : block.end] = True
        return preset_masks(grammar, spans, taken, chains)


def _blocked(doc: Doc) -> List[Span]:
    """RETURNS (List[Span]): The tokens that an earlier component has closed to entities."""
    iob, label = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2).T
    return [doc[i : i + 1] for i in np.flatnonzero((iob == 3) & (label == 0)).tolist()]
