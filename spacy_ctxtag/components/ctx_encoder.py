"""`ctx_encoder`: one encoder shared by any components that listen to it through spaCy's own `Tok2VecListener`."""

from typing import Any, Callable, Dict, Iterable, List, Optional

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ..types import TokenVectors
from .ctx_pipe import CtxPipe

DEFAULT_CONFIG = """
[component]

[component.model]
@architectures = "spacy-ctxtag.Encoder.v1"

[component.model.backbone]
@misc = "spacy-ctxtag.MiniLM.v1"
"""


@Language.factory("ctx_encoder", assigns=["doc.tensor"], default_config=Config().from_str(DEFAULT_CONFIG)["component"])
def make_ctx_encoder(nlp: Language, name: str, model: Model[List[Doc], TokenVectors]) -> "CtxEncoder":
    """Construct a `ctx_encoder`; see `CtxEncoder`."""
    return CtxEncoder(nlp.vocab, model, name)


class _Forward:
    """One forward pass of an update: it adds up what the listeners send back, and goes backward once, when told to."""

    def __init__(self, vectors: TokenVectors, backprop: Callable[[TokenVectors], Any]) -> None:
        self.vectors = vectors
        self.backprop = backprop
        self.d_vectors: List[Floats2d] = []

    def receive(self, d_vectors: TokenVectors) -> float:
        """Add one listener's gradient. RETURNS (float): Its squared norm."""
        if not self.d_vectors:
            self.d_vectors = [d.copy() for d in d_vectors]
        else:
            for total, d in zip(self.d_vectors, d_vectors, strict=True):
                total += d
        return sum(float((d**2).sum()) for d in d_vectors)

    def go_backward(self) -> None:
        if self.d_vectors:
            self.backprop(self.d_vectors)


class CtxEncoder(CtxPipe, Tok2Vec):
    """Writes token vectors to `doc.tensor` for its listeners, and learns from all of them.

    spaCy's `Tok2Vec` lets the last listener run the backward pass; when that one has nothing to learn in a batch, the
    gradients of all are lost. Here every listener adds its own, and the encoder goes backward itself, at the next
    `update` or in `finish_update`. `nlp.update(..., sgd=...)` asks it to finish before its listeners have run: such a
    step is done as soon as they have, before the encoder is used or saved again.
    """

    def __init__(self, vocab: Vocab, model: Model[List[Doc], TokenVectors], name: str = "ctx_encoder") -> None:
        """
        model (Model): From Docs to B × (T, W), e.g. spacy-ctxtag.Encoder.v1.
        """
        Tok2Vec.__init__(self, vocab, model, name)
        self._pending: Optional[_Forward] = None
        self._late_sgd: Optional[Optimizer] = None

    def predict(self, docs: Iterable[Doc]) -> TokenVectors:
        """RETURNS (TokenVectors): B × (T, W), one row per token."""
        self._finish_late()
        return self.model.predict(list(docs))

    def set_annotations(self, docs: Iterable[Doc], tokvecses: TokenVectors) -> None:
        """Write the vectors to `doc.tensor`."""
        for doc, vectors in zip(docs, tokvecses, strict=True):
            doc.tensor = vectors

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Run the encoder over a batch and hand the vectors to the listeners.

        RETURNS (Dict[str, float]): The losses: for the encoder the squared norm of the gradient that it gets.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        self._finish_late()
        self._go_backward()
        examples = list(examples)
        validate_examples(examples, "CtxEncoder.update")
        docs = [eg.predicted for eg in examples]
        set_dropout_rate(self.model, drop)
        forward = self._pending = _Forward(*self.model.begin_update(docs))

        def receive(d_vectors: TokenVectors) -> List[Doc]:
            losses[self.name] += forward.receive(d_vectors)
            return []

        batch_id = Tok2VecListener.get_batch_id(docs)
        for listener in self.listeners:
            listener.receive(batch_id, forward.vectors, receive)
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Go backward and update the weights; later, if no listener has sent its gradient yet."""
        if self._pending is not None and not self._pending.d_vectors:
            self._late_sgd = sgd
            return
        self._go_backward()
        self.model.finish_update(sgd)

    def _go_backward(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.go_backward()

    def _finish_late(self) -> None:
        """Do the step that was asked for too early, if the listeners have run by now."""
        if self._late_sgd is not None and self._pending is not None and self._pending.d_vectors:
            sgd, self._late_sgd = self._late_sgd, None
            self._go_backward()
            self.model.finish_update(sgd)

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Optional[Language] = None) -> None:
        """Load the backbone's weights. RAISES (ValueError): CT405 without an example."""
        validate_get_examples(get_examples, "CtxEncoder.initialize")
        self._pending = self._late_sgd = None
        self.initialize_model([eg.predicted for eg, _ in zip(get_examples(), range(10), strict=False)])

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        self._finish_late()
        return super().to_bytes(exclude=exclude)

    def to_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> None:
        self._finish_late()
        super().to_disk(path, exclude=exclude)

    def add_label(self, label: str) -> int:
        raise NotImplementedError
