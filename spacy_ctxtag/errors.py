"""Coded errors; warnings are in `warnings.py`. A message says what was met, what was expected, and what to do next.

Codes: CT0xx encoder, CT1xx tags and CRF, CT2xx layers, CT3xx data, CT4xx components, CT5xx command line,
CT6xx training, CT7xx evaluation and experiments. A code is never reused for another meaning.
"""

from .codes import WithCodes


class Errors(metaclass=WithCodes):
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
        "one with `spacy.load`. A component in `frozen_components` is not initialized: give it a `source`."
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
    CT010 = "The encoder at {path} cannot be read. Save or download the model again. What was met: {reason}"
    CT011 = (
        '`layers = {layers!r}` cannot be read from an encoder of {n} layers. Expected "last", "all", or a list of '
        "numbers from 0 to {last}."
    )
    CT012 = (
        "The layers of a {kind!r} encoder cannot be told apart: they share their weights. Leave `freeze_layers`, "
        "`freeze_embeddings`, `unfreeze_every` and `lr_decay` at their defaults; such an encoder cannot be pruned."
    )
    CT013 = "The encoder's setting `{setting}` cannot be {value!r}. Expected {expected}."
    CT014 = "A {kind!r} encoder has no gradient checkpointing. Set `checkpointing = false`."
    CT015 = (
        "LayerMix got vectors of width {width}, which {n} layers cannot divide. Set `n_layers` to the number of "
        "`layers` of the encoder that it reads."
    )
    CT016 = "Unknown precision {precision!r}. Expected one of {known}."
    CT017 = (
        'An encoder cannot be trained in fp16 on a CPU. Set `train_precision = "bf16"` or "fp32" in its config, or '
        "train on a GPU (--gpu-id 0)."
    )
    CT018 = (
        "The gradients of the encoder do not fit in fp16, or are not numbers, however small their scale. Set "
        '`train_precision = "bf16"` in its config, or lower `learn_rate` in [training.optimizer] or its `lr_scale`.'
    )
    CT019 = (
        '`precision = "int8"` needs an encoder in 8-bit integers, and this one is in floats. Make one with '
        "`python -m spacy ctx quantize`, or set another precision."
    )
    CT020 = "An encoder in 8-bit integers cannot be trained. Train what it was made from, and quantize that again."
    CT030 = (
        "A {kind!r} encoder cannot be pruned: {reason}. Expected one whose layers are alike, with feed-forward units "
        "that its config.json counts, such as BERT, RoBERTa, ELECTRA or DistilBERT."
    )
    CT031 = (
        "No attention heads can be removed from this {kind!r} encoder: {reason}. Prune feed-forward units or layers "
        "only."
    )
    CT032 = "Unknown backend {backend!r}. Expected one of {known}."
    CT033 = (
        '`backend = "onnx"` predicts in fp32 only, and `precision` is {precision!r}. Set `precision = "fp32"` or '
        '`backend = "torch"` in the encoder\'s config.'
    )
    CT034 = (
        "`backend = \"onnx\"` needs onnxruntime and onnx. Install them with `pip install 'spacy-ctxtag[onnx]'`, or set "
        '`backend = "torch"` in the encoder\'s config, e.g. when the pipeline is loaded.'
    )
    CT035 = (
        'A {kind!r} encoder cannot be computed by ONNX Runtime. Set `backend = "torch"` in its config. What was met: '
        "{reason}"
    )
    CT036 = (
        "The encoder is on {device}, and ONNX Runtime can use {available} only. Install a build of it for this device "
        '(onnxruntime-gpu for CUDA), or set `backend = "torch"` in the encoder\'s config.'
    )

    # CT4xx: components
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

    # CT200 to CT249: characters, orthography, fusion
    CT200 = "{layer}: {name} is {value}. Expected at least {least}. Change it in the config block of the layer."
    CT201 = (
        "Orthography: {name!r} is no token attribute. Expected attributes of spaCy, e.g. PREFIX, SUFFIX, SHAPE, NORM. "
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
        "StaticVectors: the vocabulary has no word vectors. Expected a table with columns. Name a package with "
        "vectors in [initialize.vectors], or leave the layer out."
    )
    CT208 = (
        "BiLSTM: width is {width}. Expected an even number, one half for each direction. Change it in the config block "
        "of the layer."
    )
    CT210 = "{layer}: `{name}` is {value}. Expected a probability, at least 0 and below 1. Correct it in the config."

    # CT3xx: data
    CT300 = "Nothing was written or used. Errors in the data: {n}. Correct them in the sources:\n{problems}"
    CT301 = "The file cannot be read: {reason}."
    CT302 = "Byte {byte} at position {column} of the line is not UTF-8. Save the file as UTF-8."
    CT303 = "The file is UTF-16. Expected UTF-8. Save it as UTF-8."
    CT304 = "Setting {name!r} is {met!r}. Expected {expected}."
    CT305 = "There is no such file or folder."
    CT306 = "No file in this folder has one of the suffixes {suffixes}. Name the files, or the format."
    CT307 = "Document {id!r} is also at {other}. Expected every name once. Rename one of them."
    CT308 = "The file, read as {format}, holds no document. Remove it from the inputs, or name its format."
    CT309 = "The file cannot be read as .spacy (DocBin): {reason}. Was it written by spaCy 3?"
    CT310 = (
        "{line!r} begins with '# ' but is not '# key = value'. Write a sentence without tags that begins with the "
        "token '#' as '\\# …'."
    )
    CT311 = "Key {key!r} is given twice for a document, or is one of id, source and line, which are set by the reader."
    CT312 = "The document that begins here has no name, and '# doc' follows in line {line}. Put '# doc = ID' before it."
    CT313 = "Document {id!r} holds no sentence. Remove it, or its empty mark."
    CT314 = "Document {id!r} holds entity marks, but was to be read without entities. Leave --no-ents out."
    CT315 = (
        "The file has tags and not one entity, so all its tokens are taken to be outside of entities. If entities were "
        "not annotated, read it with --no-ents."
    )
    CT316 = "{piece!r} opens an entity inside '[{label}'. Entities do not nest. Close the first with ']'."
    CT317 = "'[' without a label. Expected '[LABEL', or '\\[' for a token."
    CT318 = "{piece!r} is an entity without tokens. Expected '[LABEL token]', or '\\[' for a token."
    CT319 = "{piece!r} closes an entity, but none is open. Expected '\\]' for a token that ends with ']'."
    CT320 = "{piece!r} begins with '~', but nothing stands before it in the document. Leave the '~' out."
    CT321 = "'[{label}' is not closed. Expected ']' after the entity's last token, in the same line."
    CT322 = "Two spaces in a row, or a space at the start or end of the line. Expected one space between tokens."
    CT323 = "{piece!r} holds a tab. Expected one space between tokens, and '\\t' for a tab inside a token."
    CT324 = (
        "{piece!r} is no token. Expected 'form/TAG' or 'form', neither of them empty; for a slash in a token without a "
        "tag '\\/', for one that begins with '[' '\\['."
    )
    CT325 = (
        "{met!r} in {piece!r} is no escape. Expected one of \\~ \\[ \\] \\/ \\# \\- \\s \\t \\n \\r, or \\\\ for a "
        "backslash."
    )
    CT327 = (
        "{form!r} has the tag {tag!r}, most tokens of the file have none. Expected a file with or without tags; '\\/'?"
    )
    CT328 = "{form!r} has no tag, most tokens of the file have one. Expected 'form/TAG'."
    CT329 = "{form!r} has the tag {tag!r}. Expected one of {expected}; other tags are read with --tag-set xpos."
    CT330 = "Document {id!r} is empty and cannot be written in the inline markup. Remove it."
    CT331 = (
        "Token {token} ({text!r}) of document {id!r} has no tag, others have one. Expected all or none. Tag it, or "
        "write "
        "without tags."
    )
    CT332 = (
        "Entity {start} to {end} ({text!r}, {label}) of document {id!r} crosses a sentence border. Correct the "
        "sentence "
        "starts or the entity."
    )
    CT340 = "Tokens stand before the first document mark (line {line}). Put '# doc = ID' or '-DOCSTART-' before them."
    CT341 = "{needed} columns are needed, most lines have {met}. Is the separator {separator}? Is the column right?"
    CT342 = "{met} columns in {line}. Expected {expected}, as most lines have, separated by {separator}."
    CT343 = "Column {column} is empty. Expected a token and its tags; a blank line between sentences."
    CT350 = "{met} columns. Expected ten, separated by tabs, none of them empty ('_' for no value)."
    CT351 = "Word number {met!r}. Expected {expected}: words are numbered from 1, a blank line ends a sentence."
    CT352 = "Multiword token {met!r}. Expected a range that begins with {expected}, the number of the next word."
    CT353 = "FEATS is {met!r}. Expected 'Name=Value|Name=Value' or '_'."
    CT354 = "HEAD is {met!r}. Expected {expected}."
    CT355 = "Multiword token {met!r} ends after the sentence's last word, {words}."
    CT356 = "The sentence has {met} words with HEAD 0. Expected one."
    CT357 = "The heads of {form!r} run in a circle. Expected a tree."
    CT359 = "The words spell {spelt!r}, '# text' says {text!r}. Is a SpaceAfter=No missing?"
    CT360 = "The line is not JSON: {reason}. Expected one JSON object a line."
    CT361 = "{met!r} has no 'text'. Expected an object with a string 'text', and 'entities' or 'spans'."
    CT362 = "'text' is empty. Remove the line."
    CT363 = "'text' holds {met} at offset {offset}, half of a surrogate pair, which is no character. Export it again."
    CT364 = (
        "Token {index} of 'tokens' is {met}, but the text goes on with {text!r}. Expected tokens with 'start' and "
        "'end' that "
        "spell the text, with at most one space between them. Leave 'tokens' out to use the tokenizer."
    )
    CT365 = "{key!r} is {met}. Expected a list of spans."
    CT366 = (
        "Span {index} is {met}. Expected [start, end, label] or an object with 'start', 'end' and 'label', "
        "0 <= start < end <= {length}, the label not empty."
    )
    CT367 = (
        "Span {start} to {end} ({text!r}, {label}) does not lie on token borders. The tokens there: {tokens}; the "
        "nearest "
        "borders: {first} and {last}. Correct it, or choose --on-misaligned expand or drop."
    )
    CT369 = '{n} documents were rejected or ignored by the annotator ("answer") and left out.'
    CT370 = "Span {start} to {end} ({text!r}, {label}) overlaps {other}. Expected entities that do not overlap."
    CT371 = "The output must be a file whose name ends in .spacy."
    CT372 = "The output is also an input. Name another output."
    CT373 = "The inputs hold no document."
    CT374 = "The corpus has no path. Set it in the config, e.g. with --paths.train corpus/train.spacy."
    CT375 = (
        "Corpus {corpus!r} holds {text!r} as {label}, which is not among the labels that it is said to be annotated "
        "with: {labels}. Add the label, or correct the annotation."
    )
    CT380 = "The document has no annotation at all. Annotate it, or leave it out."
    CT381 = "The document holds no text. Leave it out."
    CT382 = "Entity {text!r} ({label}) begins or ends with white space. Move its borders to the words."
    CT383 = "The text stands in {split} and in {other}, at {place}: {text!r}. Take it out of one of them."
    CT390 = "The augmenter {name}: `{setting}` is {value!r}. Expected {expected}."
    CT391 = "{line!r} is no entry. Expected {expected}."
    CT392 = "The file has no entry. Expected {expected}."
    CT393 = (
        "The model at {path} cannot be used to paraphrase: {reason}. Expected a folder with an encoder-decoder such as "
        "T5 or BART and its tokenizer, as transformers' `save_pretrained` writes it."
    )
    CT395 = "Corpus {name!r} gives no example, so it cannot be mixed with others. Check its path, or take it out."

    # CT5xx: command line
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
    CT509 = "The pipeline has no component {name!r} that can be calibrated. Expected a ctx_ner: {known}."
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
        "The run that was cut off was asked for something else: {other}. Give the same files and settings to go on "
        "with it, or begin anew with --force."
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

    # CT6xx: training
    CT600 = (
        "{what} of {name!r} is not a number, or too large for one, in step {step} (epoch {epoch}{rate}). Lower "
        "`learn_rate` in [training.optimizer] or the encoder's `lr_scale`, give it a warm-up, keep `grad_clip` = 1, "
        'and with mixed precision try `train_precision = "bf16"`. Resuming meets the same again.'
    )
    CT601 = (
        "The run in {path} is another one, so it cannot be resumed: {differences}. Give the same config, data and "
        "options, or train into another folder, or leave --resume out to start over."
    )
    CT602 = "The checkpoint {path} cannot be used: {reason}. Leave --resume out to start over."
    CT603 = (
        "The checkpoint does not fit the pipeline that the config makes: {what} differ. Has code changed? "
        "Leave --resume out to start over."
    )
    CT604 = (
        "The first {count} batches are not those that the run has learned from, so it cannot go on. Expected a corpus, "
        "augmenter and batcher that give the same for the same seed: `random` or `numpy.random`, no sets of strings."
    )
    CT605 = (
        "No checkpoint would be exact: {what} cannot be saved. Use an optimizer of Thinc, and models of Thinc or "
        "PyTorch, or train with `spacy train`."
    )

    # CT7xx: evaluation, experiments
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
