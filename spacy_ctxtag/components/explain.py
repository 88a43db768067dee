"""Which words moved the log-probability of a span with a label: what `explain` of `ctx_ner` and `ctx_chunker` does.

log P(span) = log Z(paths that hold it) - log Z, exactly; its gradient in the emissions is the difference of the tags
that both expect, over the temperature. From there it goes back through the double of the model (`layers/faded.py`),
which looks at every token in part. The integral is in `evaluation/integrated_gradients.py`.
"""

import contextlib
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

from ..crf import Chains, nll, posterior, span_log_probs
from ..errors import Errors
from ..evaluation.explanation import Explanation
from ..evaluation.integrated_gradients import integrate
from ..layers.faded import faded
from ..layers.faded_encoder import CONTEXT
from ..layers.presence import Presence
from ..tags import Grammar, LabelSpan, constraint_mask
from ..types import TokenVectors
from ..warnings import Warnings
from .ctx_pipe import UPSTREAM
from .token_chains import DocChains, put_back, take

Floats = NDArray[np.float64]

METHODS = ("integrated_gradients", "occlusion")


class SpanScore:
    """The log-probability of one span, as a function of how much there is of each token of the Doc."""

    def __init__(
        self,
        name: str,
        model: Model[List[Doc], Chains],
        doc: Doc,
        of_doc: DocChains,
        place: Tuple[int, LabelSpan],
        grammar: Grammar,
        mask: Optional[NDArray[np.bool_]],
        temperature: float,
    ) -> None:
        """
        name (str): Of the component, for errors.
        model (Model): From Docs to the scores of a chain. It stays as it is.
        doc (Doc), of_doc (DocChains): The Doc, and its chains.
        place (Tuple): Which of the chains the span is in, and the span there.
        mask (Optional[ndarray]): (T', K) the tags of that chain that are possible; None: all.
        temperature (float): What the scores are divided by.
        RAISES (ValueError): CT431 for a span that the mask excludes, CT432, CT433, CT434 for a model that cannot be
            looked into.
        """
        self.doc, self.of_doc, self.grammar, self.temperature = doc, of_doc, grammar, temperature
        self.chain, span = place
        self.mask = mask
        self.holds = constraint_mask(grammar, [span], np.ones(len(of_doc.tokens[self.chain]), dtype=bool))
        if not _is_possible(grammar, span, mask, len(self.holds)):
            raise ValueError(Errors.CT431.format(name=name))
        self.presence = Presence(len(doc))
        self.model = faded(model, self.presence, lambda listener: _behind(name, listener))
        if CONTEXT not in self.presence.gradients:
            raise ValueError(Errors.CT435.format(name=name))

    @property
    def sources(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Where tokens become vectors, S of them."""
        return tuple(self.presence.gradients)

    def value(self, values: NDArray[Any]) -> float:
        """RETURNS (float): log P, in nats, where there is so much (T,) of the tokens."""
        return self._run(values)[0]

    def slope(self, values: NDArray[Any]) -> Tuple[float, Floats]:
        """RETURNS (Tuple[float, ndarray]): The same, and the gradient in the presence of each token, (S, T)."""
        log_p, go_backward = self._run(values)
        go_backward()
        return log_p, np.stack(list(self.presence.gradients.values()))

    def _run(self, values: NDArray[Any]) -> Tuple[float, Callable[[], Any]]:
        self.presence.values = values.astype(np.float64)
        self.presence.clear()
        scores, backprop = self.model([self.doc], is_train=True)
        chains = take(scores, [self.of_doc])
        alone = Chains([chains.emissions[self.chain]], chains.start, chains.transition, chains.end)
        losses, gradient = nll(alone.divided_by(self.temperature), self.grammar, [self.holds], [self.mask])

        def go_backward() -> None:
            d_emissions = [np.zeros_like(each) for each in chains.emissions]
            d_emissions[self.chain] = -gradient.emissions[0] / self.temperature
            moves = (np.zeros_like(each) for each in (chains.start, chains.transition, chains.end))  # nobody asks
            backprop(put_back(Chains(d_emissions, *moves), [self.of_doc], scores))

        return -float(losses[0]), go_backward


def explain(
    score: SpanScore, component: str, span: LabelSpan, label: str, method: str, tolerance: float, max_steps: int
) -> Explanation:
    """Attribute the log-probability of a span to the tokens of its Doc.

    span (LabelSpan): In tokens of the Doc. The settings are those of `SpanHead.explain`.
    RETURNS (Explanation): What each token did.
    """
    n_tokens = len(score.doc)
    by_source: Dict[str, Floats] = {}
    if method == "occlusion":
        last, first = score.value(np.ones(n_tokens)), score.value(np.zeros(n_tokens))
        total = last - np.array([score.value(np.arange(n_tokens) != i) for i in range(n_tokens)])
        steps = n_tokens + 2
    else:
        integral = integrate(
            lambda alpha: score.slope(np.full(n_tokens, alpha)), tolerance=tolerance, max_points=max_steps
        )
        first, last, steps = integral.first, integral.last, integral.points
        by_source = dict(zip(score.sources, integral.total, strict=True))
        total = integral.total.sum(axis=0)
        if integral.off > tolerance * max(1.0, abs(last - first)):
            warnings.warn(Warnings.CW430.format(off=integral.off, steps=steps, tolerance=tolerance), stacklevel=3)
    return Explanation(
        component=component,
        method=method,
        tokens=tuple(token.text for token in score.doc),
        spaces=tuple(token.whitespace_ for token in score.doc),
        start=span[0],
        end=span[1],
        label=label,
        score=last,
        baseline=first,
        attributions=tuple(total.tolist()),
        by_source={name: tuple(part.tolist()) for name, part in by_source.items()},
        gap=last - first - float(total.sum()),
        steps=steps,
    )


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """In this context PyTorch keeps what gradients need, wherever it is called from."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def check_settings(name: str, method: str, tolerance: float, max_steps: int) -> None:
    """RAISES (ValueError): CT404 for a setting of `explain` that is out of its range."""
    for setting, value, holds, expected in (
        ("method", method, method in METHODS, f"one of {', '.join(METHODS)}"),
        ("tolerance", tolerance, 0 < tolerance < np.inf, "a number above 0"),
        ("max_steps", max_steps, max_steps >= 1, "a whole number, 1 or more"),
    ):
        if not holds:
            raise ValueError(Errors.CT404.format(name=name, setting=setting, value=value, expected=expected))


def _behind(name: str, listener: Tok2VecListener) -> Model[List[Doc], TokenVectors]:
    """RETURNS (Model): What a listener listens to. RAISES (ValueError): CT434 when that cannot be reached."""
    upstream = getattr(listener, UPSTREAM, None)
    if upstream is None:
        raise ValueError(Errors.CT434.format(name=name, upstream=listener.upstream_name))
    model: Model[List[Doc], TokenVectors] = upstream.model
    return model


def _is_possible(grammar: Grammar, span: LabelSpan, mask: Optional[NDArray[np.bool_]], length: int) -> bool:
    """Whether a path under a mask holds a span, whatever the scores."""
    k = len(grammar.tags)
    zeros = Chains([np.zeros((length, k))], np.zeros(k), np.zeros((k, k)), np.zeros(k))
    [even] = posterior(zeros, grammar, [mask])
    return bool(span_log_probs(even, [span])[0] > -np.inf)
