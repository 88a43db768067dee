"""Messages of CT3xx: data."""


class DataErrors:
    """See `Errors`, through which they are used."""

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
    CT326 = (
        "Nothing in the file is inline markup ('[LABEL …]', 'form/TAG', '# key = value'), as which it was read for "
        "want of anything else. If it is, rename it to .inline; else name its --format, or the --separator of its "
        "columns."
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
    CT344 = (
        "Column {column} would give both the entities and the spans {key!r}. If it holds no entities (CoNLL-2000), add "
        "--no-ents; if another column does, name it with --tag-column."
    )
    CT345 = "A carriage return at position {column} of the line. Expected lines that end with LF or CRLF. Save it so."
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
    CT368 = "'text' has {met:,} characters. Expected at most {most:,}, as the tokenizer takes. Cut it into documents."
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
    CT376 = (
        "The metadata have {key!r}, {met}. Expected text without halves of surrogate pairs, and integers of 64 bits. "
        "Export it again, or leave it out."
    )
    CT380 = "The document has no annotation at all. Annotate it, or leave it out."
    CT381 = "The document holds no text. Leave it out."
    CT382 = "Entity {text!r} ({label}) begins or ends with white space. Move its borders to the words."
    CT383 = "The text stands in {split} and in {other}, at {place}: {text!r}. Take it out of one of them."
    CT386 = (
        "Span {text!r} ({label}) of doc.spans[{key!r}] overlaps {other!r} ({other_label}). Expected spans that do not "
        "overlap, as ctx_chunker learns them. Correct one of them, or name the group of such spans with --spans-key."
    )
    CT387 = "There is no schema {name!r}. Expected one of {known}."
    CT388 = (
        "The entity tag {tag} follows {before}. Expected an entity to begin with B, and all its tokens to have one "
        "label. Correct the tag."
    )
    CT390 = "The augmenter {name}: `{setting}` is {value!r}. Expected {expected}."
    CT391 = "{line!r} is no entry. Expected {expected}."
    CT392 = "The file has no entry. Expected {expected}."
    CT393 = (
        "The model at {path} cannot be used to paraphrase: {reason}. Expected a folder with an encoder-decoder such as "
        "T5 or BART and its tokenizer, as transformers' `save_pretrained` writes it."
    )
    CT395 = "Corpus {name!r} gives no example, so it cannot be mixed with others. Check its path, or take it out."
