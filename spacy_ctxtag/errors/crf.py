"""Messages of CT1xx: tags and CRF."""


class CRFErrors:
    """See `Errors`, through which they are used."""

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
    CT105 = "Token {token} has the tag index {tag}. Expected 0 to {tags} exclusive. Is the path of other labels?"
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
    CT121 = "The emissions of sequence {sequence} hold NaN or infinity at token {token}. Expected finite scores."
    CT122 = (
        "Sequence {sequence} has no admissible path: no tag is possible at token {token} under {what} and the scheme "
        "{scheme}. Check that the entities there are annotated as the scheme needs, and that preset, blocked and "
        "annotated tokens do not contradict each other."
    )
    CT123 = "{name} holds NaN or infinity. Expected finite log-potentials in nats; the grammar forbids moves, not they."
    CT124 = "n_best: k is {k}. Expected at least 1. Correct the number of paths that is asked for."
    CT125 = (
        "spans_above: `least` is {least}. Expected a probability above 0 and at most 1. For spans of any probability, "
        "list them and use span_log_probs."
    )
    CT126 = (
        "The temperature is {temperature}. Expected a finite number above 0; 1 changes nothing. Fit it again, or "
        "leave it out."
    )
    CT127 = "The cost of missing tag {tag} is {cost}. Expected a finite number, at least 0. Correct the costs."
    CT128 = (
        "The wrong span {span} is of no sequence: there are {sequences}. Expected (sequence, start, end, label index). "
        "Check that the spans belong to this batch."
    )
    CT129 = "entity_ratio_loss: {name} is {value}. Expected a share of the tokens, from 0 to 1. Correct it."
