"""An encoder that ONNX Runtime computes, for prediction alone. Exported when it is first used."""

import os
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any, Dict, Iterator, cast

from ..errors import Errors
from . import forking
from .onnx_graph import Graph, export, largest_difference
from .onnx_session import Session, find_provider, run, start

TOLERANCE = 1e-3
_making = threading.RLock()  # PyTorch cannot export twice at once
forking.hold_back(_making)


class OnnxModule:
    """Takes and gives what the module of an encoder does. Threads may share it. To be made anew when weights change.

    module (torch.nn.Module): The encoder.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._graphs: Dict[bool, Graph] = {}  # by whether they give all hidden states
        self._sessions: Dict[bool, Session] = {}

    def parameters(self) -> Iterator[Any]:
        """RETURNS (Iterator[torch.nn.Parameter]): Those of the encoder."""
        return cast(Iterator[Any], self._module.parameters())

    def __call__(self, *, input_ids: Any, attention_mask: Any, output_hidden_states: bool) -> SimpleNamespace:
        """Compute the hidden states of word pieces.

        input_ids, attention_mask (torch.Tensor): (N, P).
        RETURNS (SimpleNamespace): last_hidden_state, and hidden_states if asked for, each (N, P, W).
        RAISES (ValueError): CT035 for an encoder that cannot be exported, CT036 for one on a device that ONNX Runtime
            cannot use.
        """
        states = run(self._session(output_hidden_states), input_ids, attention_mask)
        return SimpleNamespace(last_hidden_state=states[-1], hidden_states=states)

    def _session(self, every: bool) -> Session:
        """RETURNS (Session): One of this process, with as many threads as PyTorch has now."""
        import torch

        here = os.getpid(), torch.get_num_threads()
        session = self._sessions.get(every)
        if session is None or session[:2] != here:
            with _making:
                session = self._sessions.get(every)
                if session is None or session[:2] != here:
                    session = self._sessions[every] = self._make(every)
        return session

    def _make(self, every: bool) -> Session:
        if every in self._graphs:
            return start(self._module, self._graphs[every])
        find_provider(self._module)
        try:
            graph = export(self._module, every)
            session = start(self._module, graph)
            off = largest_difference(self._module, partial(run, session), every)
            if not off < TOLERANCE:
                raise ValueError(f"its vectors would be off by {off:.1%}")
        except Exception as error:  # exporter and runtime raise what they like
            raise ValueError(Errors.CT035.format(kind=self._module.config.model_type, reason=error)) from error
        self._graphs[every] = graph
        return session
