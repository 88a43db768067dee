"""Coded warnings. A message says what was met, and what to do about it. Codes: those of `errors.py`, with CW."""

from .codes import WithCodes


class Warnings(metaclass=WithCodes):
    """Messages of warnings; use `Warnings.CW001.format(...)`."""

    CW001 = (
        "{rows} windows of {length} word pieces did not fit in memory, and are read in halves, which takes longer. Set "
        "`max_pieces = {pieces}` or less in the encoder's config; to train, also make batches smaller."
    )
    CW300 = "{n} sentences of {max_length} tokens or more were left out of {path}. Raise max_length, or set it to 0."
    CW301 = "Entity {text!r} ({label}) crosses a sentence border. Is the sentence start right?"
    CW302 = "{n} of {total} tokens have no tag, the first is {text!r}. Tag them, or leave all tags out."
    CW303 = "The text is repeated, in {split}, after {other} at {place}: {text!r}. Is that intended?"
    CW304 = "The sentence stands in {split} and in {other}, at {place}: {text!r}. Take it out of one of them."
    CW305 = "Label {label!r} of {layer} occurs once. Is it misspelt? One example cannot be learnt and measured."
    CW306 = (
        "Label {label!r} of {layer} is not in the training data, so it cannot be found. Annotate examples, or leave it "
        "out."
    )
    CW307 = "Label {label!r} of {layer} is in the training data but not here, so it is not measured. Add examples."
    CW308 = "{text!r} carries different labels in different places: {labels}. Are they consistent?"
    CW309 = (
        "Labels of {layer} with few examples in {split}, where {largest!r} has {most}: {labels}. They are hardly "
        "learnt. Annotate more, join labels, or repeat these examples in training (spacy-ctxtag.RareLabels.v1)."
    )
    CW310 = (
        "{share:.0%} of the {total} labels of {layer} in {split} are {label!r}. The micro average says little of the "
        "other labels: look at the macro average, or at each label."
    )
    CW311 = "A span ({label}) of doc.spans[{key!r}] holds no token, so it is not learnt. Take it out."
    CW312 = (
        "The text stands in {split}, and nearly so in {other}, at {place}: {share:.0%} of their words and pairs of "
        "words are the same: {text!r}. Take it out of one of them."
    )
    CW313 = (
        "The text is nearly repeated, in {split}, after {place}: {share:.0%} of their words and pairs of words are the "
        "same: {text!r}. Is that intended?"
    )
    CW314 = (
        "Label {label!r} ({n} ×) of {layer} is written nearly as {other!r} ({most} ×). Is it misspelt? One "
        "spelling of a label is learnt as one label."
    )
    CW315 = "{text!r} is annotated {n} times ({labels}), but not at {places}. Annotate it there, if it means the same."
    CW316 = (
        "{text!r} ({n} ×) has a piece that {encoder} does not know, so it is read as if it were any other unknown "
        "word. Clean the text, or take another encoder, if there are many."
    )
    CW317 = (
        "{text!r} ({n} ×) is nothing to {encoder}: its tokenizer leaves out all of it, so its vector is empty. "
        "Clean the text, or take another encoder, if there are many."
    )
    CW318 = "Span {text!r} ({label}) is twice in doc.spans[{key!r}]. Take one of them out."
    CW319 = (
        "Span {text!r} ({label}) of doc.spans[{key!r}] begins or ends with white space. Move its borders to the words."
    )
    CW390 = (
        "{dropped} paraphrases lost an entity and were dropped, {made} did not. Does the source keep the placeholders "
        "(ENT0, ENT1, …), or the mentions as they are?"
    )
    CW420 = (
        "{name!r} learns from texts with the labels {labels}, which it does not know: it learns that these are none of "
        "its spans. Before the training, give it each of them by `add_label`, or initialize it anew."
    )
    CW430 = (
        "The attributions may be off by {off:.3g} nats after {steps} runs of the model, more than asked for (tolerance "
        "{tolerance:g}). Raise `max_steps`, or `tolerance`."
    )
    CW500 = (
        "{n} of {total} texts of {path} were used to train the model and are calibrated on all the same (--force): the "
        "figures are too good, and the probabilities of new texts will be too high."
    )
    CW501 = "The pipeline does not say which texts it was trained on. Make sure that {path} is not among them."
    CW502 = "{path} has fewer than two different texts, so nothing is cross-validated: the figures are too good."
    CW503 = "The temperature {t:.3g} is at the edge of those that were tried. Is {path} held out, and large enough?"
    CW504 = "{path} has no entity of {labels}, so nothing is known about these labels. Add examples."
    CW505 = "{path} has entities of {labels}, which {name!r} does not know. They are taken to be outside."
    CW506 = "{n} entities of {path} are not on the pipeline's tokens, or cross its sentences. They are left out."
    CW507 = "{name!r} keeps its thresholds, which were set for other probabilities. New ones: --target-precision."
    CW508 = "{name!r} decodes by {decode}. The figures and the thresholds are those of the best path (viterbi)."
    CW511 = "{names}: the calibration is that of the unpruned pipeline. Calibrate again: python -m spacy ctx calibrate."
    CW509 = (
        "The threshold for this coverage is {threshold:.2g}: too low to store all spans above it, so `alternatives` "
        "stays as it is. Use more data, or a lower --coverage."
    )
    CW510 = "{n} of {total} texts of {path} are also learned from (--force): the scores are too good."
    CW600 = (
        "The gradient of {name!r} is {times:.0f} times as large as usual: {norm:.3g}. Where that comes again, lower "
        "`learn_rate`, or look for odd texts; with `grad_clip = 1.0` one such step does little harm."
    )
    CW601 = (
        "{what}: one answer for everything in {n} evaluations in a row, while the annotation has others. Train longer, "
        "give the learning rate a warm-up, lower it, or check that train and dev are annotated alike."
    )
    CW604 = "[training] has no setting {name!r}; it is left out.{hint}"
    CW603 = (
        "[training.score_weights] names {names}, which the evaluation on dev does not give. {rest} Scores that there "
        "are: {there}."
    )
    CW780 = "No licence is known, and the card says so. Name it with --licence."
    CW602 = (
        "The run was started with other versions, or on another machine, so its last bits may differ from those of a "
        "run that was never stopped: {differences}."
    )
    CW710 = (
        "{n} of {total} texts of {path} were used to train the pipeline: the scores are too good. Score it on others."
    )
    CW735 = (
        "{n} of {total} texts of {path} were used to train {model}: its scores there say nothing about new texts. "
        "Compare on others."
    )
    CW736 = (
        "Test {test!r} speaks of {labels}, and the pipeline knows: {known}. Are these labels written as in its "
        "training data?"
    )
    CW750 = (
        "In {n} of {total} documents the annotators have different tokens. They are compared by what lies between any "
        "two borders, and tags where the tokens are the same."
    )
    CW751 = "{n} of {total} documents were annotated by one only, and are left out."
    CW760 = (
        "{labels}: in one text only, so the pipeline that scores it does not know the label, and cannot doubt it. Is "
        "it misspelt? Else add examples."
    )
