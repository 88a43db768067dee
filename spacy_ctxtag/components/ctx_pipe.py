"""What all trainable components share: streams that survive a bad document, updates, and weights saved as files."""

import math
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple, Union

import srsly
from spacy import util
from spacy.pipeline import TrainablePipe
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model, Optimizer, set_dropout_rate

from ..errors import Errors
from ..exceptions import NotFinite
from ..layers.hf_shim import HFShim, weights_apart
from ..layers.text_cache import CacheInfo, TextCache
from ..training.folders import replace_folder

BATCH_TOKENS = 65536  # of a batch of prediction, unless it is one Doc
UPSTREAM = "ctx_upstream"  # the attribute of a listener, a node of a model, where a `ctx_encoder` sets itself


class CtxPipe(TrainablePipe):
    """A TrainablePipe whose encoder weights are files of their own, and whose stream loses only a failing document."""

    @property
    def upstream(self) -> Optional[Tok2Vec]:
        """RETURNS (Optional[Tok2Vec]): The `ctx_encoder` that the component listens to."""
        return next((getattr(node, UPSTREAM) for node in self.model.walk() if hasattr(node, UPSTREAM)), None)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Apply the component to a stream of Docs, in order. A batch of long Docs has fewer of them than `batch_size`.

        A batch that fails is done again Doc by Doc, so that only the failing ones reach the error handler.
        """
        error_handler = self.get_error_handler()
        for docs in _batches(stream, batch_size):
            for doc, predict in self._predict_each(docs):
                try:
                    self.set_annotations([doc], predict())
                except Exception as error:
                    error_handler(self.name, self, [doc], error)
                    continue
                yield doc

    def run_model(self, docs: List[Doc]) -> Any:
        """Run the model, with the vectors that it listens to, also on Docs from which a `ctx_cleaner` has taken them.

        RETURNS (Any): What the model gives.
        RAISES (ValueError): CT408 when there are no vectors, and no `ctx_encoder` to ask for them.
        """
        listeners = [node for node in self.model.walk() if isinstance(node, Tok2VecListener)]
        lacking = [doc for doc in docs if len(doc) and doc.tensor.shape[0] != len(doc)] if listeners else []
        if not lacking:
            return self.model.predict(docs)
        upstream = self.upstream
        if upstream is None:
            raise ValueError(Errors.CT408.format(name=self.name, upstream=listeners[0].upstream_name))
        before = [doc.tensor for doc in lacking]
        upstream.set_annotations(lacking, upstream.predict(lacking))
        try:
            return self.model.predict(docs)
        finally:
            for doc, tensor in zip(lacking, before, strict=True):
                doc.tensor = tensor

    def cache_info(self) -> CacheInfo:
        """RETURNS (CacheInfo): How the cache of the component's encoder was used (`cache_mb`); all 0 without one."""
        shims = [shim for node in self.model.walk() for shim in node.shims]
        infos = [shim.info() for shim in shims if isinstance(shim, TextCache)]
        return CacheInfo(*map(sum, zip(CacheInfo(0, 0, 0, 0), *infos, strict=True)))

    def _predict_each(self, docs: List[Doc]) -> Iterator[Tuple[Doc, Callable[[], Any]]]:
        """Pair every Doc with a function that gives, or fails with, what `set_annotations` takes for it alone."""
        try:
            results = self.predict(docs)
        except Exception:  # which Doc it was shows when each is predicted alone
            for doc in docs:
                yield doc, partial(self.predict, [doc])
        else:
            for doc, result in zip(docs, results, strict=True):
                yield doc, partial(list, [result])

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a batch of examples; one without any annotation for this component is passed over.

        RETURNS (Dict[str, float]): The losses, in nats, summed under the component's name.
        RAISES (NotFinite): CT402 when the loss is not a number.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        if not any(self.is_annotated(eg) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update([eg.predicted for eg in examples])
        loss, d_scores = self.get_loss(examples, scores)
        if not math.isfinite(loss):
            raise NotFinite(self.name, "The loss", Errors.CT402.format(name=self.name))
        backprop(d_scores)
        if sgd:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def is_annotated(self, example: Example) -> bool:
        """RETURNS (bool): Whether there is anything in an example that this component learns from."""
        raise NotImplementedError

    def take_sample(self, get_examples: Callable[[], Iterable[Example]]) -> List[Doc]:
        """RETURNS (List[Doc]): A few Docs to initialize the weights with. RAISES (ValueError): CT405 without one."""
        examples = list(islice(get_examples(), 10))
        if not examples:
            raise ValueError(Errors.CT405.format(name=self.name))
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        return [eg.predicted for eg in examples]

    # Serialization

    def cfg_to_save(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): What of `cfg` goes to disk."""
        return dict(self.cfg)

    def load_cfg(self, saved: Dict[str, Any]) -> None:
        """Take over the `cfg` that `cfg_to_save` gave."""
        self.cfg.update(saved)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component, weights included."""
        self._validate_serialization_attrs()
        writers = {
            "cfg": lambda: srsly.json_dumps(self.cfg_to_save()),
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
            "model": self.model.to_bytes,
        }
        return util.to_bytes(writers, exclude)

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "CtxPipe":
        """Load the component from bytes."""
        readers = {
            "cfg": lambda data: self.load_cfg(srsly.json_loads(data)),
            "vocab": lambda data: self.vocab.from_bytes(data, exclude=exclude),
            "model": lambda data: self.model.from_bytes(data),
        }
        util.from_bytes(bytes_data, readers, exclude)
        return self

    def to_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> None:
        """Write the component to a folder: `cfg`, `model`, and an `encoder` folder with weights and tokenizer."""
        self._validate_serialization_attrs()
        writers = {
            "cfg": lambda p: srsly.write_json(p, self.cfg_to_save()),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
            "model": lambda p: _write_model(self.model, p),
        }
        util.to_disk(path, writers, exclude)

    def from_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> "CtxPipe":
        """Load the component from a folder. RAISES (ValueError): CT406 when the weights are not there."""
        readers = {
            "cfg": lambda p: self.load_cfg(srsly.read_json(p)),
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude),
            "model": lambda p: _read_model(self.model, p, self.name),
        }
        util.from_disk(path, readers, exclude)
        return self


def _batches(stream: Iterable[Doc], size: int) -> Iterator[List[Doc]]:
    """YIELDS (List[Doc]): Batches of at most so many Docs, and of BATCH_TOKENS tokens or one Doc."""
    batch: List[Doc] = []
    tokens = 0
    for doc in stream:
        if batch and tokens + len(doc) > BATCH_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(doc)
        tokens += len(doc)
        if len(batch) == size:
            yield batch
            batch, tokens = [], 0
    if batch:
        yield batch


def _write_model(model: Model[Any, Any], path: Path) -> None:
    with weights_apart():
        path.write_bytes(model.to_bytes())
    for shim, folder in _encoders(model, path):
        if shim.is_loaded:
            replace_folder(folder, shim.save)


def _read_model(model: Model[Any, Any], path: Path, name: str) -> None:
    model.from_bytes(path.read_bytes())
    for shim, folder in _encoders(model, path):
        if shim.awaits_weights:
            if not (folder / "config.json").is_file():
                raise ValueError(Errors.CT406.format(name=name, path=folder))
            shim.load(folder)


def _encoders(model: Model[Any, Any], path: Path) -> List[Tuple[HFShim, Path]]:
    """RETURNS (List): The encoders inside a model, each with its folder beside the model's file."""
    shims = [shim for node in model.walk() for shim in node.shims if isinstance(shim, HFShim)]
    return [(shim, path.with_name("encoder" if i == 0 else f"encoder_{i}")) for i, shim in enumerate(shims)]
