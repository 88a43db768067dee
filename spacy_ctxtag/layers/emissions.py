"""Token vectors to scores of tags: dropout and a linear map whose output can grow by new tags."""

from typing import Any, List, Optional

from spacy.util import replace_model_node
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
    drop: Model[Floats2d, Floats2d] = Dropout(dropout)
    model: Model[List[Floats2d], List[Floats2d]] = with_array(chain(drop, output))
    model.set_ref("output_layer", output)
    return model


def resize(model: Model[Any, Any], nO: int) -> None:
    """Give the layer that `model` refers to as "output_layer" further outputs at the end.

    Before initialization it sets their number. Later a new layer takes the old one's place, with what that has
    learned, so that no optimizer mistakes its moving averages, which have the old shape, for those of the new one.
    """
    output = model.get_ref("output_layer")
    if not output.has_param("W"):
        output.set_dim("nO", nO, force=True)
        return
    old = output.get_dim("nO")
    if nO == old:
        return
    W: Any = output.ops.alloc2f(nO, output.get_dim("nI"))  # (K, W)
    b: Any = output.ops.alloc1f(nO) + NEW_TAG_BIAS  # (K,)
    W[:old], b[:old] = output.get_param("W"), output.get_param("b")
    grown: Model[Floats2d, Floats2d] = Linear(nO=nO, nI=output.get_dim("nI"), init_W=glorot_uniform_init)
    grown.ops = output.ops  # rather than those of this thread
    grown.set_param("W", W)
    grown.set_param("b", b)
    replace_model_node(model, output, grown)
