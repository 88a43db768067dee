"""The parameters of a linear chain: emissions in, the scores of a whole chain out.

It scores only. Normalising, decoding and losses are in `spacy_ctxtag.crf`, on the host and in float64, so that only
(T, K) numbers leave the device. Moves that a scheme forbids are masked there, never stored here.
"""

from typing import Any, Callable, List, Optional, Tuple

from thinc.api import Model
from thinc.types import Floats2d

from ..crf import Chains

PARAMS = ("start", "transition", "end")


def CRF(nO: Optional[int] = None, *, gain: float = 10.0) -> Model[List[Floats2d], Chains]:
    """Join emissions with learned scores of first tags, moves and last tags (Lafferty, McCallum & Pereira 2001).

    INPUT (List[Floats2d]): B × (T, K) emissions. OUTPUT (Chains): the same as float64 on the host, with the scores of
    the moves. PARAMS: start (K,), transition (K, K) [from, to], end (K,), stored divided by `gain`, zeros at first.
    The gradient reaches the emissions and all three; sequences without tokens are passed on.

    nO (Optional[int]): K, the number of tags.
    gain (float): What the stored parameters are multiplied by. With an optimizer that sets the size of its steps
        itself, such as Adam, it is the factor by which moves learn faster than their learning rate.
    """
    return Model(
        "crf",
        _forward,
        init=_init,
        dims={"nO": nO, "nI": nO},
        params=dict.fromkeys(PARAMS),
        attrs={"gain": gain},
    )


def _forward(
    model: Model[List[Floats2d], Chains], emissions: List[Floats2d], is_train: bool
) -> Tuple[Chains, Callable[[Chains], List[Floats2d]]]:
    ops, gain = model.ops, float(model.attrs["gain"])

    def to_host(array: Any) -> Any:
        return ops.to_numpy(array).astype("float64")  # type: ignore[no-untyped-call]

    def to_device(array: Any) -> Any:
        return ops.asarray(array, dtype="float32")

    def backprop(d_chains: Chains) -> List[Floats2d]:
        for name in PARAMS:
            model.inc_grad(name, to_device(gain * getattr(d_chains, name)))
        return [to_device(d_emissions) for d_emissions in d_chains.emissions]

    start, transition, end = (gain * to_host(model.get_param(name)) for name in PARAMS)
    return Chains([to_host(each) for each in emissions], start, transition, end), backprop


def _init(
    model: Model[List[Floats2d], Chains], X: Optional[List[Floats2d]] = None, Y: Any = None
) -> Model[List[Floats2d], Chains]:
    if X:
        model.set_dim("nO", X[0].shape[1])
    n_tags = model.get_dim("nO")
    model.set_dim("nI", n_tags)
    model.set_param("start", model.ops.alloc1f(n_tags))
    model.set_param("transition", model.ops.alloc2f(n_tags, n_tags))
    model.set_param("end", model.ops.alloc1f(n_tags))
    return model
