"""Exceptions that somebody catches; all others of the plugin are ValueErrors. Their messages stand in `errors`."""


class TrainingError(ValueError):
    """A run that cannot start, go on, or be resumed (CT6xx)."""


class Stopped(KeyboardInterrupt):
    """A run that was told to stop between two steps; loggers see it as they see Ctrl-C in `spacy train`."""


class NotFinite(TrainingError):
    """A number of training that is none, or has no bounds.

    component (str): Whose it is. what (str): "The loss", "The gradient", …. message (str): For who reads it.
    """

    def __init__(self, component: str, what: str, message: str = "") -> None:
        super().__init__(message or f"{what} of {component!r} is not a number.")
        self.component, self.what = component, what
