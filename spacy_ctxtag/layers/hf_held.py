"""What a shim around a Hugging Face encoder holds: the encoder, and its tokenizer."""

from typing import Any, Dict

from thinc.api import Shim

from ..errors import Errors
from .pieces import only_text


class Held(Shim):
    """An encoder and its fast tokenizer; neither at first."""

    def __init__(self) -> None:
        super().__init__(None)
        self._tokenizer: Any = None

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def module(self) -> Any:
        """RETURNS (torch.nn.Module): The encoder. RAISES (ValueError): CT004 without one."""
        if self._model is None:
            raise ValueError(Errors.CT004)
        return self._model

    @property
    def tokenizer(self) -> Any:
        """RETURNS (Any): The fast tokenizer. RAISES (ValueError): CT004 when there is none yet."""
        if self._tokenizer is None:
            raise ValueError(Errors.CT004)
        return self._tokenizer

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._tokenizer is not None:
            only_text(self._tokenizer)
