"""`ctx_tagger`: a tag for every token from contextual vectors, with its probability."""

from bisect import bisect_left
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX, IS_SPACE, LENGTH, POS, TAG
from spacy.language import Language
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.tokens import Doc, Token
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model
from thinc.types import Floats2d

from ..errors import Errors
from ..training.fingerprint import record_training_texts
from . import defaults
from .ctx_pipe import CtxPipe

TARGETS = {"tag": TAG, "pos": POS}
SPACE_TAGS = {"tag": "_SP", "pos": "SPACE"}


class Tags(NamedTuple):
    """What is predicted for one Doc: for each of T tokens the index of its label, and its probability."""

    labels: NDArray[np.int64]  # (T,)
    scores: NDArray[np.float32]  # (T,)


@Language.factory(
    "ctx_tagger",
    assigns=["token.tag", "token.pos"],
    default_config=defaults.TAGGER,
    default_score_weights={"tag_acc": 1.0, "pos_acc": 0.0, "tag_seq_acc": 0.0, "pos_seq_acc": 0.0},
)
def make_ctx_tagger(
    nlp: Language,
    name: str,
    model: Model[List[Doc], List[Floats2d]],
    target: str,
    overwrite: bool,
    label_smoothing: float,
    loss_weight: float,
    scorer: Optional[Callable[..., Any]],
) -> "CtxTagger":
    """Construct a `ctx_tagger`; see `CtxTagger` for the settings."""
    return CtxTagger(
        nlp.vocab,
        model,
        name,
        target=target,
        overwrite=overwrite,
        label_smoothing=label_smoothing,
        loss_weight=loss_weight,
        scorer=scorer,
    )


class CtxTagger(CtxPipe):
    """Sets `token.tag_` or `token.pos_`; the probabilities are `token._.ctx_tag_score` or `token._.ctx_pos_score`."""

    def __init__(
        self,
        vocab: Vocab,
        model: Model[List[Doc], List[Floats2d]],
        name: str = "ctx_tagger",
        *,
        target: str = "tag",
        overwrite: bool = True,
        label_smoothing: float = 0.0,
        loss_weight: float = 1.0,
        scorer: Optional[Callable[..., Any]] = None,
    ) -> None:
        """
        model (Model): From Docs to B × (T, K) scores before the softmax, e.g. spacy-ctxtag.Tagger.v1.
        target (str): "tag" or "pos": which attribute is learned and set.
        overwrite (bool): Also set tokens that have a value.
        label_smoothing (float): Probability mass taken from the gold tag and spread over all while training
            (Szegedy et al. 2016).
        loss_weight (float): The loss, and with it its gradient, is multiplied by it.
        scorer (Optional[Callable]): What `score` calls.
        RAISES (ValueError): CT404 for an unknown target, a smoothing outside [0, 1), or a weight below 0.
        """
        for setting, value, holds, expected in (
            ("target", target, target in TARGETS, sorted(TARGETS)),
            ("label_smoothing", label_smoothing, 0.0 <= label_smoothing < 1.0, "a number in [0, 1)"),
            ("loss_weight", loss_weight, 0.0 <= loss_weight < np.inf, "0 or more"),
        ):
            if not holds:
                raise ValueError(Errors.CT404.format(name=name, setting=setting, value=value, expected=expected))
        self.vocab = vocab
        self.model = model
        self.name = name
        self.target = target
        self.overwrite = overwrite
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {"labels": []}
        register_extensions()

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): The tags, in the order in which they were added."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): What `init labels` writes and `initialize` takes."""
        return self.labels

    def add_label(self, label: str) -> int:
        """Add a tag, also to a trained component, which keeps what it has learned.

        RETURNS (int): 1, or 0 if it was there.
        RAISES (ValueError): CT400 when it is not a string or empty, CT404 when it is no part of speech but must be.
        """
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.CT400.format(name=self.name, label=label))
        if self.target == "pos" and label not in POS_IDS:
            expected = f"one of {sorted(filter(None, POS_IDS))}, or target = 'tag'"
            raise ValueError(Errors.CT404.format(name=self.name, setting="label", value=label, expected=expected))
        if label in self.labels:
            return 0
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        if self.model.get_ref("output_layer").has_param("W"):
            self.set_output(len(self.labels))
        return 1

    def predict(self, docs: Iterable[Doc]) -> List[Tags]:
        """Find the most probable tag of every token, without changing the Docs."""
        results = []
        for probs in self._probs(list(docs)):
            best = probs.argmax(axis=1) if len(probs) else np.zeros((0,), dtype="int64")
            results.append(Tags(best, probs[np.arange(len(best)), best]))
        return results

    def tag_probs(self, doc: Doc) -> NDArray[np.float32]:
        """RETURNS (ndarray): (T, K) probabilities of the tags of each token, K as in `labels`. One run of the model."""
        [probs] = self._probs([doc])
        return probs

    def _probs(self, docs: List[Doc]) -> List[NDArray[np.float32]]:
        """B × (T, K), with one transfer from the device."""
        ops: Any = self.model.ops
        scores: List[Any] = self.run_model(docs)
        lengths = [len(each) for each in scores]
        if not sum(lengths):
            return [np.zeros((0, len(self.labels)), dtype="float32") for _ in scores]
        probs = ops.to_numpy(ops.softmax(ops.xp.concatenate(scores)))
        return np.split(probs, np.cumsum(lengths)[:-1])

    def set_annotations(self, docs: Iterable[Doc], tags: Sequence[Tags]) -> None:
        """Write tags and probabilities into Docs. White space gets "_SP" or "SPACE", with probability 1.

        docs (Iterable[Doc]): The Docs.
        tags (Sequence[Tags]): What `predict` gave.
        """
        attr = TARGETS[self.target]
        values = np.array([self._value(label) for label in self.labels], dtype="uint64")
        for doc, (labels, scores) in zip(docs, tags, strict=True):
            if len(doc) == 0:
                continue
            is_space = doc.to_array([IS_SPACE]).reshape(-1) == 1
            before = doc.to_array([attr]).reshape(-1)
            new = np.where(is_space, self._value(SPACE_TAGS[self.target]), values[labels])
            keep = (before != 0) & (not self.overwrite)
            chosen: Any = np.where(keep, before, new).reshape(-1, 1).astype("uint64")
            doc.from_array([attr], chosen)
            stored = np.where(is_space, np.float32(1.0), scores)
            stored[keep] = np.nan
            start, length = doc.to_array([IDX, LENGTH]).reshape(-1, 2).T
            doc.user_data[_score_key(self.target)] = {
                "start": start.tolist(),
                "length": length.tolist(),
                "score": stored.tolist(),
            }

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): The scores of the attribute that this component sets."""
        return {} if self.scorer is None else self.scorer(examples, attrs=[self.target], **kwargs)

    def is_annotated(self, example: Example) -> bool:
        """RETURNS (bool): Whether any token of the example has a gold tag."""
        return len(example.predicted) > 0 and example.reference.has_annotation(self.target.upper())

    def get_loss(self, examples: Iterable[Example], scores: List[Floats2d]) -> Tuple[float, List[Floats2d]]:
        """The cross-entropy of the gold tags, summed over tokens, times `loss_weight`; tokens without one (or with one
        that the component does not have) count nothing.

        RETURNS (Tuple[float, List[Floats2d]]): The loss in nats, and its gradient with respect to the scores.
        """
        ops: Any = self.model.ops
        n_labels = len(self.labels)
        index = {label: i for i, label in enumerate(self.labels)}
        loss = 0.0
        gradient = []
        for eg, doc_scores in zip(examples, scores, strict=True):
            gold = [index.get(tag, -1) for tag in eg.get_aligned(self.target.upper(), as_string=True)]
            if not gold:
                gradient.append(doc_scores)
                continue
            known = np.asarray(gold) >= 0  # (T,)
            wanted = np.full((len(gold), n_labels), self.label_smoothing / n_labels, dtype="float32")
            wanted[known, np.asarray(gold)[known]] += 1.0 - self.label_smoothing
            wanted[~known] = 0.0
            of_doc, d_scores = cross_entropy(ops, doc_scores, ops.asarray2f(self.loss_weight * wanted))
            loss += of_doc
            gradient.append(d_scores)
        return loss, gradient

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Initialize the model and set the tags.

        get_examples (Callable): Gives a representative sample of examples.
        nlp (Optional[Language]): The pipeline; the hashes of the examples' texts are kept in its meta.
        labels (Optional[Sequence[str]]): The tags, else they are read off the examples. Tags added before stay.
        RAISES (ValueError): CT401 without a tag, CT405 without an example.
        """
        sample = self.take_sample(get_examples)
        if labels is None:
            attr = f"{self.target}_"
            labels = sorted({getattr(token, attr) for eg in get_examples() for token in eg.reference} - {""})
        for label in labels:
            self.add_label(label)
        if not self.labels:
            raise ValueError(Errors.CT401.format(name=self.name, what=f"no token.{self.target}_ in any example"))
        if nlp is not None:
            record_training_texts(nlp.meta, (eg.reference.text for eg in get_examples()))
        self.set_output(len(self.labels))
        self.model.initialize(X=sample)

    def _value(self, label: str) -> int:
        return POS_IDS[label] if self.target == "pos" else self.vocab.strings.add(label)


def cross_entropy(ops: Any, scores: Any, target: Any) -> Tuple[float, Any]:
    """The cross-entropy between target distributions and the softmax of scores.

    scores (Floats2d): (T, K). target (Floats2d): (T, K), rows that sum to what a token counts.
    RETURNS (Tuple[float, Floats2d]): The loss in nats, summed over tokens, and its gradient in the scores.
    """
    shifted = scores - ops.xp.max(scores, axis=1, keepdims=True)
    log_probs = shifted - ops.xp.log(ops.xp.exp(shifted).sum(axis=1, keepdims=True))
    return -float((target * log_probs).sum()), ops.xp.exp(log_probs) * target.sum(axis=1, keepdims=True) - target


def _score_key(target: str) -> str:
    return f"ctx_{target}_scores"


def _find_score(target: str, token: Token) -> Optional[float]:
    """The getter of `token._.ctx_tag_score`: found by character offsets, so None for tokens made by retokenizing."""
    stored = token.doc.user_data.get(_score_key(target))
    if stored is None:
        return None
    at = bisect_left(stored["start"], token.idx)
    if at == len(stored["start"]) or (stored["start"][at], stored["length"][at]) != (token.idx, len(token)):
        return None
    score = stored["score"][at]
    return None if score != score else float(score)


def register_extensions() -> None:
    """Make `token._.ctx_tag_score` and `token._.ctx_pos_score` known to spaCy."""
    for target in TARGETS:
        if not Token.has_extension(f"ctx_{target}_score"):
            Token.set_extension(f"ctx_{target}_score", getter=partial(_find_score, target))
