"""Messages of CT4xx: components."""


class ComponentErrors:
    """See `Errors`, through which they are used."""

    CT400 = "{name!r}: a label must be a string that is not empty, got {label!r}."
    CT401 = (
        "{name!r} found no label in the data: {what}. Give annotated examples to `initialize`, or a list of labels in "
        "[initialize.components.{name}.labels]."
    )
    CT402 = (
        "{name!r}: the loss is not a number. The learning rate may be too high, or the training lacks warm-up. Lower "
        "`learn_rate` in [training.optimizer], or the encoder's `lr_scale`, and train again. With an encoder of "
        '`train_precision = "fp16"`, try "bf16".'
    )
    CT403 = (
        "{name!r} is set to stay within sentences, but the Doc has none. Put a component that sets sentences, such as "
        "`sentencizer`, before it (and into `annotating_components` for training), or set within_sentences = false."
    )
    CT404 = "{name!r}: `{setting}` is {value!r}. Expected {expected}."
    CT405 = (
        "{name!r} got no example to initialize with. Check that the training corpus is not empty, and that its path "
        "is right."
    )
    CT406 = (
        "{name!r}: the saved model at {path} has no folder of encoder weights, or it lacks files. Save the pipeline "
        "again with `nlp.to_disk`, or reinstall its package."
    )
    CT407 = (
        "{name!r}: {text!r} is annotated as {label}, and as no {label} in doc.spans[{key!r}]. Take one of the two out "
        "of the reference."
    )
    CT408 = (
        "{name!r} listens to {upstream!r}, which has not run on this Doc, and cannot be asked. Put it back into the "
        "pipeline before {name!r}, or give {name!r} an encoder of its own: `nlp.replace_listeners`."
    )
    CT409 = (
        "{name!r}: `{setting}` names the label {label!r}, which the component does not have. Its labels: {labels}. "
        "Correct the name in the config."
    )
    CT410 = (
        "{name!r}: the span {text!r} has the label {label!r}, which the component does not have. Its labels: {labels}. "
        "Give a Span with one of them, e.g. Span(doc, start, end, label=…)."
    )
    CT411 = "{name!r}: the span {text!r} is of another Doc than the one given. Make it from this Doc."
    CT412 = (
        "{name!r}: the span {text!r} cannot be an entity: it begins or ends with white space, or crosses a sentence "
        "(`within_sentences`). Give other borders."
    )
    CT420 = (
        "{name!r}: spans in doc.spans[{key!r}] overlap, characters {one} and {other}, in the document {doc!r}. One "
        "component learns spans that do not overlap: put the others under another key, or give each component its own "
        "labels in [initialize.components.{name}.labels]."
    )
    CT421 = (
        "{name!r} and {other!r} both write to doc.spans[{key!r}], so that one would replace what the other has found. "
        "Give each its own `spans_key`."
    )
