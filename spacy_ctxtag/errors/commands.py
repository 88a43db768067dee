"""Messages of CT5xx: the command line."""


class CommandErrors:
    """See `Errors`, through which they are used."""

    CT500 = "There is no tokenizer for the language {lang!r}: {reason}"
    CT501 = "{path} is no model package. Expected a .whl or .tar.gz, or a folder with a .whl in it: run spacy package."
    CT502 = "{what}: exit code {code}. What it printed stands above."
    CT503 = "{folder} is not empty and no virtual environment. Name another folder, or a new one."
    CT504 = "The model could not be loaded and used with the network off:\n{reason}"
    CT505 = "The network was used: {attempt}. Save the model with all it needs, then package it again."
    CT506 = "The model found no entity, span or tag in {n} texts. Was it trained? Other texts: --texts FILE."
    CT507 = (
        "{n} of {total} texts of {path} were used to train the model, so its probabilities there say nothing about new "
        "texts. Expected held-out data. Take these texts out, or calibrate on them all the same with --force."
    )
    CT508 = "{path} {problem}. Expected a new or empty folder, or a pipeline to replace. {remedy}"
    CT509 = "The pipeline has no component {name!r} that can be calibrated. Expected a ctx_ner; there is: {known}."
    CT510 = (
        "{path} has {n} entities of the labels that {name!r} knows, which are: {labels}. Expected at least one. Is it "
        "the right file, and are entities annotated in it?"
    )
    CT511 = (
        "The plots of --report need matplotlib. Install it with `pip install 'spacy-ctxtag[plots]'`, or leave --report "
        "out."
    )
    CT512 = (
        "A config cannot hold a setting for each of these labels: {labels}, because of a character such as '.', ':' or "
        "'='. Leave out {options}, or rename them."
    )
    CT513 = "The model {path} could not be loaded. Expected the folder of a pipeline, or an installed package. {reason}"
    CT514 = "Met {met}. Expected as many probabilities in [0, 1] as outcomes, which are 0 or 1, in one dimension."
    CT515 = (
        "There is nothing to prune. Expected a ctx_ner, ctx_chunker or ctx_tagger with an encoder of its own, or on a "
        "ctx_encoder; the pipeline has: {names}."
    )
    CT516 = (
        "{names} cannot be taught by the unpruned pipeline, and would no longer fit the pruned encoder that it listens "
        "to. Take it out of the pipeline, or give it an encoder of its own: `nlp.replace_listeners`."
    )
    CT517 = "The encoder of {name!r} gives several layers (`layers` in its config), so none can be left out."
    CT518 = "The dev texts have no annotation to measure {scores} with. Expected annotated texts."
    CT519 = (
        "Nothing was written: at every rate a score falls by more than {max_drop:g} points, at least by {drop:.2f}. "
        "Lower --rates, keep more --layers, train longer (--epochs), give more texts to --train, or raise --max-drop."
    )
    CT520 = (
        "{n} of {total} texts of {path} are among those to learn from, or were used to train the model: what is "
        "measured on them says nothing about new texts. Take them out, or measure on them all the same with --force."
    )
    CT521 = (
        "There is nothing to quantize and measure. Expected a component with an encoder of its own, or on a "
        "ctx_encoder, and with a score; the pipeline has: {names}."
    )
    CT522 = "The encoder of {name!r} is in 8-bit integers already. Quantize the pipeline that it was made from."
    CT523 = (
        "The encoder of {name!r} has read no text, so the ranges of its numbers are not known. Expected texts that "
        "are not empty; give others with --calibrate."
    )
    CT524 = (
        "Nothing was written: {score} falls by {drop:.2f} points, from {before:.2f} to {after:.2f}, and at most "
        "{max_drop:g} are allowed. Try another --precision, texts that are more like yours in --calibrate, or raise "
        "--max-drop."
    )
    CT525 = (
        "Nothing was written: on this machine {precision} is not faster, {after:,.0f} words/s against {before:,.0f}. "
        "That takes instructions that not every processor has, and a GPU none of them for int8. Quantize on the "
        "machine that will use it, or write it for its size alone with --allow-slower."
    )
    CT526 = (
        "The encoder of {name!r} is in 8-bit integers. Prune the pipeline that it was made from, and quantize the "
        "result."
    )
    CT550 = (
        "Transformers has no head that predicts masked words for a {kind!r} encoder. Expected one such as BERT, "
        "RoBERTa, DistilBERT, ELECTRA, DeBERTa or ModernBERT."
    )
    CT551 = (
        "The tokenizer of {path} has no mask piece. Expected that of an encoder that is trained with one, e.g. BERT."
    )
    CT552 = "The file cannot be read as raw text by its name. Expected one that ends in {suffixes}."
    CT553 = "{met!r} has no 'text'. Expected an object with a string 'text' in each line."
    CT554 = (
        "There is nothing to learn from, or nothing to measure with: {total} texts, {held_out} held out. Expected at "
        "least one of each. Give more texts, or other ones to measure with: --dev."
    )
    CT555 = "{path} {problem}. Expected a new or empty folder, or a result of pretraining to replace. {remedy}"
    CT556 = (
        "{path} holds a run that was cut off. Go on with it with --resume, throw it away with --force, or name another "
        "folder for the result."
    )
    CT557 = (
        "The run before was asked for something else: {other}. Give the same files and settings to go on with it, or "
        "begin anew with --force."
    )
    CT558 = (
        "The loss is not a number, or too large, at step {step}. Lower --learn-rate or --head-learn-rate, or try "
        "another --train-precision."
    )
    CT560 = (
        "spacy-ctxtag.MLflow.v1 needs mlflow. Install it with `pip install 'spacy-ctxtag[mlflow]'`, or take the logger "
        "out of [training.logger]."
    )
    CT561 = "Curves need matplotlib. Install it with `pip install 'spacy-ctxtag[plots]'`."
    CT562 = "The line is no record of an evaluation: {reason}. Expected JSON as spacy-ctxtag.JSONL.v1 writes it."
    CT563 = "The file holds no record of an evaluation. Expected what spacy-ctxtag.JSONL.v1 has written."
