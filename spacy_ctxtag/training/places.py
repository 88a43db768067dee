"""Names for everything that learns, by its place in the pipeline: `ctx_ner/3/W` is a parameter of the fourth node.

Thinc tells parameters apart by numbers that count the models of a process, so they mean nothing to another one.
"""

from typing import Any, Dict, Iterable, Iterator, Tuple

from spacy.language import Language
from thinc.api import Model, Shim

Key = Tuple[int, str]  # what an optimizer calls a parameter: the id of a node or shim, and a name


class Places:
    """The nodes and shims of the components that learn.

    nlp (Language): The pipeline.
    frozen (Iterable[str]): Names of components that do not learn.
    """

    def __init__(self, nlp: Language, frozen: Iterable[str] = ()) -> None:
        self.nodes: Dict[str, Model[Any, Any]] = {}
        self.shims: Dict[str, Shim] = {}
        seen = set()
        for name, pipe in nlp.pipeline:
            model = None if name in frozen else getattr(pipe, "model", None)
            for i, node in enumerate(model.walk()) if isinstance(model, Model) else ():
                if id(node) not in seen:
                    seen.add(id(node))
                    self.nodes[f"{name}/{i}"] = node
                    self.shims.update((f"{name}/{i}.{j}", shim) for j, shim in enumerate(node.shims))

    def parameters(self) -> Iterator[Tuple[str, Key]]:
        """YIELDS (Tuple[str, Key]): The name of each parameter, and what an optimizer calls it."""
        for place, node in self.nodes.items():
            yield from ((f"{place}/{name}", (node.id, name)) for name in node.param_names)
        for place, shim in self.shims.items():
            module: Any = getattr(shim, "_model", None)
            if hasattr(module, "named_parameters"):
                yield from ((f"{place}/{name}", (shim.id, name)) for name, _ in module.named_parameters())


def component_of(place: str) -> str:
    """RETURNS (str): The component that a place is in; its own name may have slashes."""
    return place.rsplit("/", 2)[0]
