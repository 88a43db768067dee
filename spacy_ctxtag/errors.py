"""Coded errors and warnings. A message says what was met, what was expected, and what to do next.

Codes: CT0xx encoder, CT1xx tags and CRF, CT2xx layers, CT3xx data, CT4xx components, CT5xx command line.
A code is never reused for another meaning.
"""

from typing import Any


class _WithCodes(type):
    """Puts the code of a message in front of it."""

    def __getattribute__(cls, code: str) -> Any:
        message = super().__getattribute__(code)
        return message if code.startswith("__") else f"[{code}] {message}"


class Errors(metaclass=_WithCodes):
    """Messages of errors; use `Errors.CT001.format(...)`."""

    # CT0xx: encoder
    CT001 = (
        "Windows of {capacity} word pieces cannot overlap by {overlap}. Expected 0 <= overlap < capacity. Set a larger "
        "`window` or a smaller `overlap` in the encoder's config."
    )
    CT002 = (
        "The weights of {name!r} were not found. Give a local folder as the backbone's `name`,{extra} or a model of "
        "the Hugging Face hub while there is a network. What was met: {error}"
    )
    CT003 = (
        "The weights at {path} are not the expected ones. Expected SHA-256 {expected}, got {got}. Download or install "
        "them again, or name the backbone with spacy-ctxtag.Backbone.v1, which does not check."
    )
    CT004 = (
        "The encoder has no weights yet. Expected an initialized pipeline: call `nlp.initialize()`, or load a trained "
        "one with `spacy.load`."
    )
    CT005 = (
        "The weights at {path} do not fit the encoder that its config.json describes. Missing: {missing}; of another "
        "shape: {other}. Save or download the model again."
    )
    CT006 = (
        "The backbone at {path} has no fast tokenizer, which is needed to align word pieces with tokens: {reason}. Use "
        "a model with a tokenizer.json, or convert its tokenizer and save it into the folder."
    )
    CT007 = "The backbone at {path} is an encoder-decoder ({kind}). Expected an encoder such as BERT or RoBERTa."
    CT008 = "Unknown pooling {pooling!r}. Expected one of {known}."
    CT009 = (
        "The backbone {name!r} gives vectors of width {found}, but the config says {width}. Set `width = {found}` in "
        "the encoder's config, or leave it null, and use the same width in every listener."
    )

    # CT4xx: components
    CT400 = "{name!r}: a label must be a string that is not empty, got {label!r}."
    CT401 = (
        "{name!r} found no label in the data: {what}. Give annotated examples to `initialize`, or a list of labels in "
        "[initialize.components.{name}.labels]."
    )
    CT402 = (
        "{name!r}: the loss is not a number. The learning rate may be too high, or the training lacks warm-up. Lower "
        "`learn_rate` in [training.optimizer], or the encoder's `lr_scale`, and train again."
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

    # CT1xx: tags and CRF
    CT100 = "Unknown tag scheme {scheme!r}. Expected {expected}."
    CT101 = "Label {index} is {label!r}. Expected a string that is not empty. Remove it from the labels."
    CT102 = "Label {index}, {label!r}, is given twice. Expected every label once. Remove one of the two."
    CT103 = (
        "Span ({start}, {end}) with label index {label} does not fit {length} tokens and {labels} labels. Expected "
        "0 <= start < end <= tokens and 0 <= label index < labels. Check that the spans belong to this text."
    )
    CT104 = (
        "Span ({start}, {end}) overlaps another at token {token}, which already has the tag {tag}. Expected spans "
        "that do not overlap. Remove one of the two, e.g. with spacy.util.filter_spans."
    )
    CT105 = "Token {token} has the tag index {tag}. Expected 0 to {tags} exclusive. Was the path made with other labels?"
    CT106 = (
        "At token {token}, the move from {before} to {after} is not allowed in {scheme}. Expected a well-formed path. "
        "Decode with viterbi, or read strings with read_tags, which repairs them."
    )
    CT110 = "Unknown tag {tag!r}: expected one of {expected}. It is read as O. Is it another scheme?"
    CT111 = "Tag {tag!r} has no label. Expected a label after the prefix. It is read as O."
    CT112 = (
        "The entity of label {label!r} that begins at token {start} is not closed: expected {expected}, got {tag}. "
        "It is ended here. Is it another scheme?"
    )
    CT113 = (
        "{tag!r} continues no entity of label {label!r}, which {scheme} asks for. It is read as the beginning of an "
        "entity. Is it another scheme?"
    )
    CT114 = (
        "{tag!r} follows no entity of label {label!r}; IOB1 uses B- only between two of them. It is read as the "
        "beginning of an entity. Is it BIO?"
    )
    CT120 = "{name} has the shape {shape}. Expected {expected}. Were the scores made for other labels?"
    CT121 = "The emissions of sequence {sequence} hold NaN or infinity at token {token}. Expected finite scores in nats."
    CT122 = (
        "Sequence {sequence} has no admissible path: no tag is possible at token {token} under {what} and the scheme "
        "{scheme}. Check that the entities there are annotated as the scheme needs, and that preset, blocked and "
        "annotated tokens do not contradict each other."
    )
    CT123 = "{name} holds NaN or infinity. Expected finite log-potentials in nats; the grammar forbids moves, not they."

    # CT200 to CT249: characters, orthography, fusion
    CT200 = "{layer}: {name} is {value}. Expected at least {least}. Change it in the config block of the layer."
    CT201 = (
        "Orthography: {name!r} is no token attribute. Expected attributes of spaCy such as PREFIX, SUFFIX, SHAPE, NORM. "
        "Correct attrs in the config block of the layer."
    )
    CT202 = "Orthography: met {rows} rows for {attrs} attributes. Expected one number of rows for each attribute."
    CT203 = "Unknown fusion {kind!r}. Expected one of {expected}."
    CT204 = "Nothing to fuse. Expected at least one layer that maps Docs to token vectors."
    CT205 = (
        "The width of the layer {layer!r}, input {index} of the fusion, is not known. Expected a layer with nO, or a "
        "sample of Docs with tokens. Call initialize(X=docs)."
    )
    CT206 = (
        "The layer {layer!r}, input {index} of the fusion, gave arrays of {got} rows. Expected {expected}, one row for "
        "each token. Check that it is a tok2vec, List[Doc] to List[Floats2d]."
    )
    CT207 = (
        "StaticVectors: the vocabulary has no word vectors. Expected a table of at least one column. Name a package with "
        "vectors in [initialize.vectors], or leave the layer out."
    )


class Warnings(metaclass=_WithCodes):
    """Messages of warnings; use `Warnings.CW001.format(...)`."""
