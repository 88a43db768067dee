"""What is left of the encoders of a pipeline when they are pruned, and how they get there."""

import copy
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..layers.hf_config import n_layers
from ..layers.hf_shim import HFShim
from ..layers.hf_shrink import head_weights, n_units, unit_weights, write_smaller
from .distillation import Lessons, distances, pipes_of
from .importance import Floats, Taylor, best_units, worst_heads


class Shape(NamedTuple):
    """What is left of an encoder.

    layers (List[int]): Layers to keep, rising.
    heads (Dict[int, List[int]]): Attention heads to remove, by layer.
    importance (List[ndarray]): For each layer that there was, that of its feed-forward units.
    """

    layers: List[int]
    heads: Dict[int, List[int]]
    importance: List[Floats]

    def n_units(self, rate: float) -> int:
        """RETURNS (int): Units that a layer keeps when this share is removed; at least one."""
        return max(1, round((1 - rate) * len(self.importance[0])))


class Pair(NamedTuple):
    """An encoder of the teacher, and that in the same place of the student."""

    teacher: HFShim
    student: HFShim

    def fit(self, shape: Shape, rate: float) -> None:
        """Give the student what a shape leaves of the teacher's weights, by way of a folder that is loaded strictly."""
        module = self.teacher.module
        if shape.heads:
            module = copy.deepcopy(module)
            module.prune_heads(shape.heads)
        units = [best_units(scores, shape.n_units(rate)) for scores in shape.importance]
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "encoder"
            write_smaller(module, self.teacher.tokenizer, folder, layers=shape.layers, units=units)
            self.student.load(folder)


def find_shapes(
    nlp: Language, heads: Sequence[str], encoders: Sequence[HFShim], examples: Sequence[Example], heads_rate: float
) -> List[Shape]:
    """Find out what matters in the encoders of a pipeline, by the gradients of its loss on annotated texts.

    nlp (Language): The pipeline; its weights stay as they are.
    heads (Sequence[str]): Names of the components whose loss it is.
    encoders (Sequence[HFShim]): Their encoders.
    heads_rate (float): Share of the attention heads to remove.
    RETURNS (List[Shape]): For each encoder, with all of its layers.
    RAISES (ValueError): CT012, CT030, CT031 for an encoder that cannot be made smaller.
    """
    units = [[(shim.id, name) for name in unit_weights(shim.module)] for shim in encoders]
    attention = [[(shim.id, name) for name in head_weights(shim.module)] if heads_rate else [] for shim in encoders]
    taylor = Taylor({})
    for shim, of_units, of_heads in zip(encoders, units, attention, strict=True):
        taylor.scores.update({key: np.zeros(n_units(shim.module)) for key in of_units})
        taylor.scores.update({key: np.zeros(shim.module.config.num_attention_heads) for key in of_heads})
    sgd: Any = taylor
    for example in examples:
        for pipe in pipes_of(nlp, heads):
            pipe.update([example])
        for pipe in pipes_of(nlp, heads):
            pipe.finish_update(sgd)
    shapes = []
    for shim, of_units, of_heads in zip(encoders, units, attention, strict=True):
        scores = [taylor.scores[key] for key in of_heads]
        removed = worst_heads(scores, round(heads_rate * sum(map(len, scores)))) if scores else {}
        shapes.append(Shape(list(range(n_layers(shim.module))), removed, [taylor.scores[key] for key in of_units]))
    return shapes


def pick_layers(
    nlp: Language, pairs: List[Pair], shapes: List[Shape], n: int, docs: Sequence[Doc], lessons: Dict[str, Lessons]
) -> List[Shape]:
    """Leave out one layer after the other of each encoder, always that without which the student stays nearest.

    nlp (Language): The student.
    n (int): How many layers stay.
    docs (Sequence[Doc]): Texts to try it on. lessons (Dict[str, Lessons]): What the teacher says about them.
    RETURNS (List[Shape]): The shapes with these layers.
    """
    shapes = list(shapes)
    for i, pair in enumerate(pairs):
        while len(shapes[i].layers) > n:
            tried = {}
            for layer in shapes[i].layers:
                shape = shapes[i]._replace(layers=[each for each in shapes[i].layers if each != layer])
                pair.fit(shape, 0.0)
                tried[layer] = sum(distances(nlp, docs, lessons).values()), shape
            shapes[i] = min(tried.values(), key=lambda found: found[0])[1]
        pair.fit(shapes[i]._replace(layers=list(range(n_layers(pair.teacher.module)))), 0.0)
    return shapes
