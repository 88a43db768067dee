"""Messages of CT7xx: evaluation, experiments."""


class EvaluationErrors:
    """See `Errors`, through which they are used."""

    CT700 = (
        "The runs are not of the same documents: met {a} beside {b} of them, or other annotation in them. Expected as "
        "many runs on either side, scored on the same corpus."
    )
    CT701 = (
        "The grid {path} cannot be used: {problem}. Expected a YAML file with `variants`: for each name the settings "
        "that it changes, such as `components.ctx_ner.model.transition_gain: 0.0`; under `base`, settings for all."
    )
    CT702 = "Variant {variant!r} changes {key!r}, which has no place in the config. Its sections: {known}."
    CT703 = "The config of variant {variant!r} cannot be used: {error}"
    CT704 = "{n} of {total} runs failed: {names}. The others are kept; the same command does the failed ones again."
    CT706 = (
        "There is nothing to compare: no run has a score of entities, tags or spans that `[training.score_weights]` "
        "names. Expected a pipeline with one of these, and texts in which it is annotated."
    )
    CT705 = "Tests of significance need SciPy. Install it with `pip install 'spacy-ctxtag[stats]'`; all runs are kept."
