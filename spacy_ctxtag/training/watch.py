"""What goes wrong in training and shows early: numbers that are none, gradients that explode, a head that gives up."""

import math
from collections import defaultdict, deque
from statistics import median
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from spacy.language import Language
from spacy.training import Example
from thinc.api import Optimizer

from ..errors import Errors
from ..exceptions import NotFinite
from ..warnings import Warnings
from .places import Key, Places, component_of

COLLAPSED = "_collapsed"  # how the names of scores end that are 1 when a head gives the same answer everywhere
WINDOW, FEWEST = 50, 20  # norms of a gradient that a new one is compared with; at least so many


class Watch:
    """Looks at losses, gradients and dev scores, and keeps the norms of gradients for the log.

    places (Places): What learns.
    optimizer (Optimizer): Takes the steps; `watch.optimizer` is to be used in its place.
    explode (float): A gradient is told of that is so many times larger than usual.
    collapse_after (int): A head that gives one answer everywhere is told of after so many evaluations in a row.
    """

    def __init__(
        self, places: Places, optimizer: Optimizer, *, explode: float = 100.0, collapse_after: int = 5
    ) -> None:
        self.optimizer: Any = _Watched(optimizer, self._look)
        self.explode = explode
        self.collapse_after = collapse_after
        self._places = places
        self._components: Dict[Key, str] = {}
        self._squares: Dict[str, float] = defaultdict(float)  # of this step
        self._norms: Dict[str, Deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._largest: Dict[str, float] = {}  # since the last evaluation
        self._collapsed: Dict[str, int] = {}  # evaluations in a row
        self._told: List[str] = []

    def check_losses(self, losses: Dict[str, Any]) -> None:
        """RAISES (NotFinite): For a loss that is no number."""
        for name, loss in losses.items():
            if not math.isfinite(float(loss)):
                raise NotFinite(name, "The loss")

    def end_step(self) -> List[str]:
        """RETURNS (List[str]): Warnings about the gradients of the step that was taken."""
        told = []
        for name, square in self._squares.items():
            norm, before = math.sqrt(square), self._norms[name]
            usual = median(before) if len(before) >= FEWEST else math.inf
            if norm > self.explode * usual > 0 and self._once(f"gradient of {name}"):
                told.append(Warnings.CW600.format(name=name, times=norm / usual, norm=norm))
            before.append(norm)
            self._largest[name] = max(norm, self._largest.get(name, 0.0))
        self._squares.clear()
        return told

    def end_evaluation(self, scores: Dict[str, Any]) -> Tuple[Dict[str, float], List[str]]:
        """RETURNS (Tuple): The largest norm of each component's gradient since the last evaluation, and warnings."""
        told = []
        for key in (key for key in scores if key.endswith(COLLAPSED)):
            self._collapsed[key] = self._collapsed.get(key, 0) + 1 if scores[key] else 0
            if self._collapsed[key] >= self.collapse_after and self._once(key):
                told.append(Warnings.CW601.format(what=key.removesuffix(COLLAPSED), n=self._collapsed[key]))
        largest, self._largest = self._largest, {}
        return largest, told

    def training_state(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): What a checkpoint needs."""
        norms = {name: list(each) for name, each in self._norms.items()}
        return {"norms": norms, "largest": self._largest, "collapsed": self._collapsed, "told": self._told}

    def set_training_state(self, state: Dict[str, Any]) -> None:
        """Go on from there."""
        for name, each in state["norms"].items():
            self._norms[name].extend(each)
        self._largest, self._collapsed = dict(state["largest"]), dict(state["collapsed"])
        self._told = list(state["told"])

    def _look(self, key: Key, gradient: Any) -> None:
        if key not in self._components:
            self._components = {each: component_of(place) for place, each in self._places.parameters()}
        name = self._components.get(key, key[1])
        flat = gradient.ravel()
        square = float(flat.dot(flat))
        if not math.isfinite(square):
            raise NotFinite(name, "The gradient")
        self._squares[name] += square

    def _once(self, what: str) -> bool:
        is_new = what not in self._told
        self._told += [what] if is_new else []
        return is_new


class _Watched:
    """An optimizer whose gradients are looked at before it takes them; in all else it is that optimizer."""

    __slots__ = ("_look", "_optimizer")

    def __init__(self, optimizer: Optimizer, look: Callable[[Key, Any], None]) -> None:
        object.__setattr__(self, "_optimizer", optimizer)
        object.__setattr__(self, "_look", look)

    def __call__(self, key: Key, weights: Any, gradient: Any, **settings: Any) -> Any:
        self._look(key, gradient)
        return self._optimizer(key, weights, gradient, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_optimizer"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._optimizer, name, value)


def explain(error: NotFinite, step: int, epoch: int, learn_rate: Optional[float], batch: List[Example]) -> str:
    """RETURNS (str): The message about a number that is none: where, at which learning rate, and in which texts."""
    rate = "" if learn_rate is None else f", learning rate {learn_rate:.3g}"
    texts = [eg.reference.text for eg in batch]
    shown = "; ".join(repr(text if len(text) <= 80 else f"{text[:80]}…") for text in texts[:3])
    about = f" The batch: {len(texts)} texts, first {shown}." if texts else ""
    return Errors.CT600.format(what=error.what, name=error.component, step=step, epoch=epoch, rate=rate) + about


def create_watch_weights_v1(every: int = 10) -> Callable[[Language, Dict[str, Any]], None]:
    """Registered as spacy-ctxtag.WatchWeights.v1, for `[training] before_update` with `spacy train`: ends training with
    an error (CT600) when weights are not numbers. `ctx train` looks at losses and gradients itself.

    every (int): Look in every so many steps.
    """

    def watch_weights(nlp: Language, info: Dict[str, Any]) -> None:
        if info["step"] % every:
            return
        places = Places(nlp)
        for place, node in places.nodes.items():
            for name in node.param_names:
                if node.has_param(name):
                    _check(f"{place}/{name}", node.get_param(name), info)
        for place, shim in places.shims.items():
            module: Any = getattr(shim, "_model", None)
            for name, parameter in module.named_parameters() if hasattr(module, "named_parameters") else ():
                _check(f"{place}/{name}", parameter.detach(), info)

    return watch_weights


def _check(place: str, weights: Any, info: Dict[str, Any]) -> None:
    flat = weights.ravel()
    if not math.isfinite(float(flat.dot(flat))):
        error = NotFinite(component_of(place), f"The weight {place!r}")
        raise NotFinite(error.component, error.what, explain(error, info["step"], info["epoch"], None, []))
