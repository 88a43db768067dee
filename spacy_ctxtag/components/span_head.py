"""What `ctx_ner` and `ctx_chunker` share: labelled spans by a linear-chain CRF, each with its exact probability.

How a Doc is decided is in `ner_decoder`, what is learned in `ner_loss`, where the gold is in `span_gold`.
"""

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from ..crf import Chains, Posterior, posterior, span_log_probs
from ..errors import Errors
from ..evaluation.explanation import Explanation
from ..exceptions import NotFinite
from ..tags import Grammar, make_grammar
from ..training.fingerprint import record_training_texts
from .ctx_pipe import CtxPipe
from .explain import SpanScore, check_settings, explain, recording
from .ner_decoder import Decoding, Entities
from .ner_loss import NERLoss
from .ner_writer import keys_clash
from .presets import NOTHING, Presets, masks_of
from .span_scores import register_extensions
from .token_chains import DocChains, find_chains, locate, sent_starts, take


class SpanHead(CtxPipe):
    """A component that finds labelled spans which do not overlap, and never begin or end with white space."""

    def __init__(
        self,
        vocab: Vocab,
        model: Model[List[Doc], Chains],
        name: str,
        *,
        scheme: str,
        within_sentences: bool,
        threshold: float,
        decoding: Decoding,
        loss: NERLoss,
        scorer: Optional[Callable[..., Any]],
    ) -> None:
        """
        model (Model): From Docs to the scores of a chain, e.g. spacy-ctxtag.NER.v1.
        scheme (str): "BILUO" (BIOES by another name) or "BIO".
        within_sentences (bool): Decode every sentence on its own, so that no span crosses one.
        threshold (float): Spans with a lower probability are dropped.
        decoding (Decoding): How spans are decided and which others are stored.
        loss (NERLoss): What is learned, and where the gold is.
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
        self.within_sentences = within_sentences
        self.decoding = decoding
        self.loss = loss
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

    @property
    def key(self) -> str:
        """RETURNS (str): That of the group in `doc.spans` that is set: the component's name."""
        return self.name

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[Entities]:
        """Find spans without changing the Docs.

        RETURNS (List[Entities]): For each Doc its spans in order; for `ctx_ner` those set beforehand included where
            they have one of its labels, with probability 1.
        """
        docs = list(docs)
        return self._decode(docs, [self._presets(doc) for doc in docs])

    def score_spans(self, doc: Doc, spans: Iterable[Span]) -> List[float]:
        """Compute the exact probability that each of any spans, overlapping ones included, is one of its label; for
        `ctx_ner` given what others have set in the Doc. It costs one run of the model.

        RETURNS (List[float]): In the order of the spans; 0 for one that begins or ends with white space.
        RAISES (ValueError): CT410 for a label that the component does not have, CT411 for a span of another Doc.
        """
        spans, labels = list(spans), self.labels
        for span in spans:
            self._check_span(doc, span, span.label_)
        if not spans:
            return []
        of_doc, posteriors = self._posteriors(doc)
        scores = []
        for span in spans:
            place = locate((span.start, span.end, labels.index(span.label_)), doc, of_doc)
            scores.append(float(np.exp(span_log_probs(posteriors[place[0]], [place[1]])[0])) if place else 0.0)
        return scores

    def explain(
        self,
        doc: Doc,
        span: Span,
        label: str = "",
        *,
        method: str = "integrated_gradients",
        tolerance: float = 0.01,
        max_steps: int = 512,
    ) -> Explanation:
        """Say which words moved the log-probability of a span with a label, chosen or not; for `ctx_ner` given what
        others have set in the Doc. It is computed in 32-bit floats, and leaves the component as it is.

        doc (Doc), span (Span): The Doc, and a span of it.
        label (str): One of the component's, instead of that of the span.
        method (str): "integrated_gradients" (Sundararajan et al. 2017), from a text of mask pieces without characters
            and spelling to the Doc; or "occlusion": how much log P falls without a token, at a run of the model each.
        tolerance (float): How far the attributions may be from adding up to what they explain: as a share of it, or in
            nats where it is less than 1.
        max_steps (int): Runs of the model after which no finer steps are tried (CW430).
        RETURNS (Explanation): What each token did, in nats.
        RAISES (ValueError): CT404 for a setting out of its range, CT410 for a label that the component does not have,
            CT411 for a span of another Doc, CT412, CT431 for a span that cannot be one, CT430 for a Doc without tokens,
            CT432, CT433, CT434, CT435 for a model that cannot be looked into.
        """
        check_settings(self.name, method, tolerance, max_steps)
        if not len(doc):
            raise ValueError(Errors.CT430.format(name=self.name))
        label = label or span.label_
        self._check_span(doc, span, label)
        of_doc, grammar = self._find_chains(doc), self.grammar
        found = (span.start, span.end, self.labels.index(label))
        place = locate(found, doc, of_doc)
        if place is None:
            raise ValueError(Errors.CT412.format(name=self.name, text=span.text))
        mask = masks_of(self._presets(doc), self.labels, grammar, doc, of_doc)[place[0]]
        with recording():
            score = SpanScore(self.name, self.model, doc, of_doc, place, grammar, mask, self.decoding.temperature)
            return explain(score, self.name, found, label, method, tolerance, max_steps)

    def tag_probs(self, doc: Doc) -> NDArray[np.float64]:
        """RETURNS (ndarray): (T, K) exact probabilities of the tags of each token, K as in `grammar.tags`; white space
        is "O"."""
        of_doc, posteriors = self._posteriors(doc)
        probs = np.zeros((len(doc), len(self.grammar.tags)))
        probs[:, 0] = 1.0
        for tokens, each in zip(of_doc.tokens, posteriors, strict=True):
            probs[tokens] = each.tag_probs
        return probs

    def chains(self, docs: Iterable[Doc]) -> Tuple[Chains, List[DocChains]]:
        """Score the chains of Docs: what everything else is computed from, before any temperature.

        RETURNS (Tuple[Chains, List[DocChains]]): The scores, chain after chain, and which tokens they belong to.
        """
        docs = list(docs)
        found = [self._find_chains(doc) for doc in docs]
        return take(self.run_model(docs), found), found

    def _posteriors(self, doc: Doc) -> Tuple[DocChains, List[Posterior]]:
        chains, [of_doc] = self.chains([doc])
        masks = masks_of(self._presets(doc), self.labels, self.grammar, doc, of_doc)
        return of_doc, posterior(chains.divided_by(self.decoding.temperature), self.grammar, masks)

    def _decode(self, docs: Sequence[Doc], presets: Sequence[Presets]) -> List[Entities]:
        chains, found = self.chains(docs)
        grammar, labels = self.grammar, self.labels
        masks = [
            mask
            for doc, preset, of_doc in zip(docs, presets, found, strict=True)
            for mask in masks_of(preset, labels, grammar, doc, of_doc)
        ]
        return self.decoding(chains, grammar, masks, found)

    def _check_span(self, doc: Doc, span: Span, label: Optional[str]) -> None:
        if span.doc is not doc:
            raise ValueError(Errors.CT411.format(name=self.name, text=span.text))
        if label is not None and label not in self.labels:
            raise ValueError(
                Errors.CT410.format(name=self.name, text=span.text, label=label, labels=", ".join(self.labels))
            )

    # Training

    def is_annotated(self, example: Example) -> bool:
        """RETURNS (bool): Whether spans are annotated, or known to be absent or wrong, anywhere in the example."""
        has_words = any(not token.is_space for token in example.predicted)
        return has_words and self.loss.is_annotated(example)

    def get_loss(self, examples: Iterable[Example], scores: Chains) -> Tuple[float, Chains]:
        """The negative log-likelihood of the annotation, summed over the examples, and further terms if the config asks
        for them (see `NERLoss`). What is not annotated is summed over (marginalised), and mentions of labels that the
        component does not have count as outside.

        RETURNS (Tuple[float, Chains]): The loss in nats, and its gradient.
        RAISES (ValueError): CT402 when the scores are not numbers, CT407 when a span is also annotated as wrong, CT420
            when gold spans overlap.
        """
        arrays = (*scores.emissions, scores.start, scores.transition, scores.end)
        if not all(np.isfinite(each).all() for each in arrays):
            raise NotFinite(self.name, "The score", Errors.CT402.format(name=self.name))
        examples = list(examples)
        found = [self._find_chains(eg.predicted, eg) for eg in examples]
        return self.loss(examples, scores, self.grammar, found)

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
        RAISES (ValueError): CT401 without a label, CT405 without an example, CT409 for a setting of an unknown label,
            CT421 when another component writes to the same group.
        """
        for other, pipe in [] if nlp is None else nlp.pipeline:
            if isinstance(pipe, SpanHead) and pipe is not self and keys_clash(self.key, pipe.key):
                raise ValueError(Errors.CT421.format(name=self.name, other=other, key=self.key))
        sample, gold = self.take_sample(get_examples), self.loss.gold
        if labels is None:
            labels = sorted({label for eg in get_examples() for label in gold.labels_of(eg.reference)})
        for label in labels:
            self.add_label(label)
        if not self.labels:
            raise ValueError(Errors.CT401.format(name=self.name, what=f"no {gold.what} in any example"))
        self.decoding.check_labels(self.labels)
        self.loss.check_labels(self.labels)
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
        if self.labels:
            self.decoding.check_labels(self.labels)

    # What a Doc comes with

    def _presets(self, doc: Doc) -> Presets:
        return NOTHING

    def _find_chains(self, doc: Doc, example: Optional[Example] = None) -> DocChains:
        """RAISES (ValueError): CT403 when the component stays within sentences and the Doc has none."""
        if not self.within_sentences or len(doc) == 0:
            return find_chains(doc)
        starts = sent_starts(doc, example)
        if starts is None:
            raise ValueError(Errors.CT403.format(name=self.name))
        return find_chains(doc, starts)
