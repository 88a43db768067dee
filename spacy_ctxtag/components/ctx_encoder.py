"""`ctx_encoder`: one encoder shared by any components that listen to it through spaCy's own `Tok2VecListener`."""

from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d, FloatsXd

from ..types import TokenVectors
from .ctx_pipe import UPSTREAM, CtxPipe

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

    def __init__(self, backprop: Callable[[TokenVectors], Any], losses: Dict[str, float], name: str) -> None:
        self.backprop: Optional[Callable[[TokenVectors], Any]] = backprop
        self.losses = losses
        self.name = name
        self.d_vectors: List[Floats2d] = []

    def __call__(self, d_vectors: TokenVectors) -> List[Doc]:
        """Add one listener's gradient, and its squared norm to the losses."""
        if not self.d_vectors:
            self.d_vectors = [d.copy() for d in d_vectors]
        else:
            for total, d in zip(self.d_vectors, d_vectors, strict=True):
                total += d
        self.losses[self.name] += sum(float(d.ravel().dot(d.ravel())) for d in d_vectors)
        return []

    def __getstate__(self) -> Dict[str, Any]:
        """Listeners hold on to the last one of these, and must be sent to other processes without it."""
        return {**self.__dict__, "backprop": None, "d_vectors": []}

    def go_backward(self) -> None:
        if self.d_vectors and self.backprop is not None:
            self.backprop(self.d_vectors)
        self.backprop, self.d_vectors = None, []


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
        self._pending: Optional[_Forward] = None
        self._late_sgd: Optional[Optimizer] = None
        Tok2Vec.__init__(self, vocab, model, name)

    @property
    def model(self) -> Model[List[Doc], TokenVectors]:
        """RETURNS (Model): The model, after any step that is still due, so that nobody uses or saves old weights."""
        model: Model[List[Doc], TokenVectors] = TrainablePipe.model.__get__(self)
        if self._late_sgd is not None and self._pending is not None and self._pending.d_vectors:
            sgd, self._late_sgd = self._late_sgd, None
            self._go_backward()
            model.finish_update(sgd)
        return model

    @model.setter
    def model(self, model: Model[List[Doc], TokenVectors]) -> None:
        TrainablePipe.model.__set__(self, model)

    def find_listeners(self, component: Any) -> None:
        """Find the listeners of a component, and let those of our own know whom to ask for vectors."""
        super().find_listeners(component)
        for listener in self.listener_map.get(component.name, ()) if isinstance(component, CtxPipe) else ():
            setattr(listener, UPSTREAM, self)

    def use_params(self, params: Dict[Any, FloatsXd]) -> Iterator[None]:
        """Use other weights, such as averages, until the generator is resumed, as spaCy does it."""
        with self.model.use_params(params):
            yield

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle, after any step that is still due."""
        self.model  # noqa: B018
        return super().__reduce_ex__(protocol)

    def predict(self, docs: Iterable[Doc]) -> TokenVectors:
        """RETURNS (TokenVectors): B × (T, W), one row per token."""
        return self.model.predict(list(docs))

    def set_annotations(self, docs: Iterable[Doc], tokvecses: TokenVectors) -> None:
        """Write the vectors to `doc.tensor`."""
        for doc, vectors in zip(docs, tokvecses, strict=True):
            tensor: Any = vectors
            doc.tensor = tensor

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
        examples = list(examples)
        validate_examples(examples, "CtxEncoder.update")
        docs = [eg.predicted for eg in examples]
        model = self.model
        self._go_backward()
        self._late_sgd = None
        set_dropout_rate(model, drop)
        vectors, backprop = model.begin_update(docs)
        self._pending = _Forward(backprop, losses, self.name)
        batch_id = Tok2VecListener.get_batch_id(docs)
        for listener in self.listeners:
            listener.receive(batch_id, vectors, self._pending)
        if sgd:
            self.finish_update(sgd)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Go backward and update the weights; later, if no listener has sent its gradient yet."""
        model = self.model
        if self._pending is not None and not self._pending.d_vectors:
            self._late_sgd = sgd
        else:
            self._go_backward()
        model.finish_update(sgd)

    def _go_backward(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.go_backward()

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Optional[Language] = None) -> None:
        """Load the backbone's weights. RAISES (ValueError): CT405 without an example."""
        sample = self.take_sample(get_examples)
        self._pending = self._late_sgd = None
        self.model.initialize(X=sample)

    def add_label(self, label: str) -> int:
        raise NotImplementedError
