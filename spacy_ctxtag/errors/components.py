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
        "A ctx_ner writes under its name, a ctx_chunker under its `spans_key`, both also with `_alternatives` and "
        "`_best_1`, … behind it. Give one of them another."
    )
    CT430 = "{name!r}: the Doc has no token, so there is nothing to explain. Give a text that is not empty."
    CT431 = (
        "{name!r}: the span cannot have this label in this Doc, given the entities and blocked tokens that others have "
        "set in it, so no word makes it more or less probable. Explain it in a Doc without them, such as "
        "`nlp.make_doc(text)`."
    )
    CT432 = (
        "The layer {layer!r} ({kind}) cannot be looked into. Expected layers of spacy-ctxtag and of Thinc. With a "
        "`transformer` of spacy-transformers, or other layers by PyTorch, explanations are not possible."
    )
    CT433 = (
        "The encoder ({kind}) takes no embeddings for word pieces (`inputs_embeds`), so they cannot be mixed. Expected "
        "one such as BERT, RoBERTa, ELECTRA, DeBERTa or ModernBERT."
    )
    CT434 = (
        "{name!r} listens to {upstream!r}, whose encoder cannot be reached from there. Expected a `ctx_encoder` in the "
        "same pipeline. Put it back, or give {name!r} an encoder of its own: `nlp.replace_listeners`."
    )
    CT435 = (
        "{name!r} has no encoder of spacy-ctxtag, so what it knows of a word's neighbours cannot be explained. "
        "Expected `spacy-ctxtag.Encoder.v1`, or a listener to a `ctx_encoder`."
    )
