"""Token vectors to scores of tags: dropout and a linear map whose output can grow by new tags."""

from typing import List, Optional

from thinc.api import Dropout, Linear, Model, chain, glorot_uniform_init, with_array
from thinc.types import Floats2d

NEW_TAG_BIAS = -8.0  # nats; a tag that was added after training stays silent until it has learned


def Emissions(nO: Optional[int] = None, *, dropout: float = 0.1) -> Model[List[Floats2d], List[Floats2d]]:
    """Score tags from token vectors.

    INPUT (List[Floats2d]): B × (T, W). OUTPUT (List[Floats2d]): B × (T, K), in nats. PARAMS: W (K, W), b (K,).
    The gradient reaches the parameters and the vectors; an empty batch gives an empty list.

    nO (Optional[int]): K, the number of tags; may be set later.
    dropout (float): Rate on the vectors while training.
    """
    output: Model[Floats2d, Floats2d] = Linear(nO=nO, init_W=glorot_uniform_init)
    model = with_array(chain(Dropout(dropout), output))
    model.set_ref("output_layer", output)
    return model


def resize(output: Model[Floats2d, Floats2d], nO: int) -> None:
    """Give a linear layer further outputs at the end, keeping what it has learned. Before initialization, set them."""
    if not output.has_param("W"):
        output.set_dim("nO", nO, force=True)
        return
    old = output.get_dim("nO")
    W = output.ops.alloc2f(nO, output.get_dim("nI"))  # (K, W)
    b = output.ops.alloc1f(nO) + NEW_TAG_BIAS  # (K,)
    W[:old], b[:old] = output.get_param("W"), output.get_param("b")
    output.set_dim("nO", nO, force=True)
    output.set_param("W", W)
    output.set_param("b", b)
