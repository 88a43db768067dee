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
    CT707 = "[training] has no setting {name!r}, so {where} changes nothing by it.{hint} It has: {known}."
    CT703 = "The config of variant {variant!r} cannot be used: {error}"
    CT704 = "{n} of {total} runs failed: {names}. The others are kept; the same command does the failed ones again."
    CT706 = (
        "There is nothing to compare: no run has a score of entities, tags or spans that `[training.score_weights]` "
        "names. Expected a pipeline with one of these, and texts in which it is annotated."
    )
    CT705 = "Tests of significance need SciPy. Install it with `pip install 'spacy-ctxtag[stats]'`."
    CT710 = (
        "{packages} is missing, which counts and draws here. Install what evaluation needs with "
        "`pip install 'spacy-ctxtag[eval]'`."
    )
    CT711 = (
        "There is nothing to score in {path}: {n} documents, and in none of them anything is annotated that the "
        "pipeline sets. The pipeline sets {layers}. Expected entities, spans, tags or parts of speech in both."
    )
    CT712 = (
        "{path} has other files than a report: {names}. A report is written as a whole folder. Name another one, or "
        "one that is empty or has a report of before."
    )
    CT713 = "{path} could not be written: {reason}"
    CT714 = (
        "{path} is the folder that the program runs in, which cannot be replaced. Name another, such as one in it: "
        "--output report."
    )
    CT725 = (
        "The report has the schema version {met}; its page can be made of version {expected}. Evaluate again: "
        "python -m spacy ctx evaluate."
    )
    CT726 = "The page of a report needs matplotlib. Install it with `pip install 'spacy-ctxtag[eval]'`."
    CT735 = (
        "Document {document}: met two references with different annotation. Expected a pair of examples of one "
        "document."
    )
    CT736 = (
        "There is nothing to compare: of what is annotated, neither of the two predicts anything. Expected entities, "
        "spans, tags or parts of speech, annotated in the texts and set by the pipelines."
    )
    CT737 = "B is worse in {name}: {b:.2f} against {a:.2f}, p = {p:.3f}. Expected no difference with p below {alpha:g}."
    CT738 = (
        "B is worse in {name}: {b:.2f} against {a:.2f}, {drop:.2f} points less. Expected at most {max_drop:g} points."
    )
    CT739 = "{path} is a folder. Expected the name of a JSON file."
    CT740 = (
        "The predictions of {path} are of other documents: met {met!r} beside {text!r}. Expected those of the same "
        "documents, in the same order; empty ones may be left out."
    )
    CT741 = "{where}: met {met}. Expected {expected}."
    CT742 = "The file is no YAML: {reason}."
    CT750 = (
        "Document {id!r} of {b} has another text than that of {a}: {text_b!r} instead of {text_a!r}, white space "
        "aside. Expected the same text. Mend it; if these are different documents, give them different ids."
    )
    CT751 = (
        "No document was annotated twice. Documents: {counts}. Expected documents with the same text, white space "
        "aside."
    )
    CT752 = (
        "The annotations have no such disagreement: {layer}, characters {start} to {end} of document {document!r}. "
        "Give the annotations that the file was made from, and change nothing in it but 'adjudicated'."
    )
    CT753 = (
        "The answer {met} for {text!r} cannot be used. Expected the name of an annotator ({names}), or the answer "
        "itself: for entities a list of [start, end, label], on token borders and not over others, [] for none; else "
        "a tag."
    )
    CT754 = "The line is no disagreement: {reason}. Expected a line of disagreements.jsonl, as it was written."
    CT755 = "There are {n} annotators: {names}. Expected two or more, as files or folders, or as NAME=PATH."
    CT756 = "{path} has answers in it. Name another folder, or write over them with --force."
    CT757 = "Expected --adjudicated, a file with answers, and --gold, the .spacy file to write, together."
    CT758 = "The annotators share {n} documents, but have no layer of them in common: no entities, and no tags."
    CT759 = "{path} is a file. Expected a folder for the figures and the list."
    CT760 = (
        "There are {texts} different texts, which cannot be cut into {folds} folds. Expected at least two folds, and a "
        "text for each of them: give more texts, or lower --folds. Texts that differ in case, digits, "
        "punctuation and white space alone count as one."
    )
    CT761 = (
        "No reader of the config {path} takes its texts from {key}, so the folds would not be learned from. Expected "
        "`path = ${{{key}}}` in a section of [corpora], as in configs/ner.cfg."
    )
    CT762 = "--{key} was given, but the texts to learn from are those of the other folds. Leave it out."
    CT763 = (
        "The pipeline has no component whose labels can be doubted. Expected a ctx_ner, ctx_chunker or ctx_tagger that "
        "is not frozen; it has: {names}."
    )
    CT764 = "There is nothing to doubt: {names} found no annotation of theirs in {n} texts. Is it the right corpus?"
    CT765 = "The findings cannot be written to {path}: it {problem}. Name another file."
    CT770 = (
        "The pipeline has no component {name!r} that can be explained. Expected a ctx_ner or ctx_chunker; it has: "
        "{known}. Name one with --component."
    )
    CT771 = "{name!r} finds no span in the text. Name one that it might have found: --span TEXT --label LABEL."
    CT772 = (
        "The span {text!r} is not in the text, or not on the borders of its tokens, which are: {tokens}. Give --span "
        "as it stands there."
    )
    CT773 = "--label {label} has no --span. Expected both, or --span alone for its most probable label."
    CT780 = (
        "{path} cannot be used: {problem}. Expected the {name} that `python -m spacy {command}` writes, of a version "
        "of spacy-ctxtag like this one."
    )
    CT781 = (
        "The {what} is of another pipeline: its {key} is {met!r}, that of the pipeline is {expected!r}. Expected one "
        "that was made with this pipeline; make it again."
    )
    CT782 = (
        "The notes in {path} cannot be used: {problem}. Expected YAML with some of: description; intended_use, "
        "out_of_scope, limits (a text or a list of them); labels (a text for each label); data (for train, dev or "
        "test: name, url, author, licence, about); sources (a list of: name, url, author, licence). What YAML reads as "
        "a number, a date or yes and no, is to be quoted."
    )
    CT783 = "{path} was not written by `python -m spacy ctx card`. Move it away, or replace it with --force."
    CT784 = "{path} is no pipeline: {reason}. Expected a folder with meta.json and config.cfg."
    CT785 = "{path} has no text to measure the speed with. Expected one that is not empty."
