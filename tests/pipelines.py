"""Small pipelines over a tiny encoder, and a corpus that they can learn by heart in a few steps."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import spacy
from backbones import WIDTH
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

# Labels as people have them: with hyphens, beyond ASCII, with a space.
PERSON, PLACE, THING = "per-son", "Örtlichkeit", "some thing"
ENTITY_LABELS = (PERSON, THING, PLACE)
LINES = [
    "Ada/NN-P:per-son wrote/vérb to/a_b Charles/NN-P:per-son in/a_b London/NN-P:Örtlichkeit ./.",
    "The/a_b river/noun Elbe/NN-P:Örtlichkeit flows/vérb through/a_b Hamburg/NN-P:Örtlichkeit",
    "She/a_b bought/vérb a/a_b Blue/NN-P:some_thing Kettle/NN-P:some_thing today/noun ./.",
    "Frau/NN-P:per-son Müller/NN-P:per-son answered/vérb Ada/NN-P:per-son ./.",
    "nobody/noun wrote/vérb today/noun",
    "Cambridge/NN-P:Örtlichkeit sold/vérb the/a_b Old/NN-P:some_thing Iron/NN-P:some_thing Engine/NN-P:some_thing",
]
POS = {"NN-P": "PROPN", "vérb": "VERB", "a b": "ADP", "noun": "NOUN", ".": "PUNCT"}
HEADS = {"ctx_ner": "spacy-ctxtag.NER.v1", "ctx_tagger": "spacy-ctxtag.Tagger.v1"}
KINDS = {**HEADS, "ctx_chunker": "spacy-ctxtag.NER.v1"}
CHUNKS = {"NN-P": "nöun-phrase", "vérb": "v p"}  # runs of a tag are a chunk of this label
CHUNK_KEYS = ("chunks", "phrases")  # where the chunks are: the default, and another one
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH, "upstream": "ctx_encoder"}
SMALL = {
    "characters": {"@layers": "spacy-ctxtag.CharCNN.v1", "width": 8, "char_width": 4, "rows": 100, "windows": [1]},
    "orthography": {"@layers": "spacy-ctxtag.Orthography.v1", "width": 8, "attrs": ["SHAPE"], "rows": [50]},
}
SETTINGS = {  # none of them the default
    "ctx_ner": {"scheme": "BIO", "respect_entities": False, "within_sentences": True, "threshold": 0.125},
    "ctx_tagger": {"target": "pos", "overwrite": False, "label_smoothing": 0.0625, "loss_weight": 0.5},
    "ctx_chunker": {"spans_key": "phrases", "scheme": "BIO", "within_sentences": True, "threshold": 0.125},
}


def make_reference(nlp: Language, line: str) -> Doc:
    """Read a line of `word/tag:label`; neighbours of one label are one entity, those of one tag in CHUNKS one chunk.

    Each line is a sentence.
    """
    parts = [piece.rsplit("/", 1) for piece in line.split()]
    tags = [tag.partition(":")[0].replace("_", " ") for _, tag in parts]
    labels = [tag.partition(":")[2].replace("_", " ") for _, tag in parts]
    starts = [i == 0 for i in range(len(parts))]
    doc = Doc(nlp.vocab, [word for word, _ in parts], tags=tags, pos=[POS[tag] for tag in tags], sent_starts=starts)
    doc.set_ents(runs(doc, labels))
    for key in CHUNK_KEYS:
        doc.spans[key] = runs(doc, [CHUNKS.get(tag, "") for tag in tags])
    return doc


def runs(doc: Doc, labels: Sequence[str]) -> list[Span]:
    """RETURNS (list[Span]): Neighbours of one label that is not empty, as Spans."""
    borders = [i for i in range(len(doc) + 1) if i in (0, len(doc)) or labels[i] != labels[i - 1]]
    return [Span(doc, start, end, label=labels[start]) for start, end in pairwise(borders) if labels[start]]


def make_examples(nlp: Language, lines: Sequence[str] = LINES) -> list[Example]:
    """RETURNS (list[Example]): The corpus, predicted Docs with the tokens of the reference."""
    references = [make_reference(nlp, line) for line in lines]
    return [
        Example(Doc(nlp.vocab, [t.text for t in ref], [bool(t.whitespace_) for t in ref]), ref) for ref in references
    ]


def write_corpus(path: Path, repeat: int = 1) -> Path:
    """Write the corpus as a .spacy file. RETURNS (Path): The file."""
    DocBin(docs=[eg.reference for eg in make_examples(spacy.blank("en"))] * repeat).to_disk(path)
    return path


def encoder(backbone: str, **settings: Any) -> dict[str, Any]:
    """RETURNS (dict): The config of a tiny encoder."""
    named = {"@misc": "spacy-ctxtag.Backbone.v1", "name": backbone}
    return {"@architectures": "spacy-ctxtag.Encoder.v1", "lr_scale": 0.5, "backbone": named, **settings}


def head(kind: str, tok2vec: dict[str, Any], *, small: bool = True, **settings: Any) -> dict[str, Any]:
    """RETURNS (dict): The config of a head over a tok2vec, with characters and orthography unless `small` is False."""
    features = {"@architectures": "spacy-ctxtag.Features.v1", "encoder": tok2vec, "width": 24}
    others = SMALL if small else {"characters": None, "orthography": None}
    return {"model": {"@architectures": KINDS[kind], "tok2vec": {**features, **others}}, **settings}


def make_pipeline(kinds: Iterable[str], backbone: str, *, shared: bool = False, **settings: Any) -> Language:
    """Build an English pipeline with heads over tiny encoders.

    kinds (Iterable[str]): Names of factories, as in KINDS.
    shared (bool): Whether they listen to one ctx_encoder.
    settings (Any): Further settings of the heads.
    """
    nlp = spacy.blank("en")
    if shared:
        nlp.add_pipe("ctx_encoder", config={"model": encoder(backbone, width=WIDTH)})
    for kind in kinds:
        nlp.add_pipe(kind, config=head(kind, LISTENER if shared else encoder(backbone), **settings))
    return nlp


def train(nlp: Language, examples: Sequence[Example], *, steps: int = 30, learn_rate: float = 0.02) -> Adam:
    """Initialize a pipeline, and let it learn examples by heart. RETURNS (Adam): The optimizer."""
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    optimizer = Adam(learn_rate, grad_clip=1.0)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return optimizer


def entities(doc: Doc) -> list[tuple[int, int, str]]:
    """RETURNS (list): Start, end and label of the entities of a Doc."""
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def chunks(doc: Doc) -> SpanGroup:
    """RETURNS (SpanGroup): The chunks of a Doc, under whichever key."""
    return next(doc.spans[key] for key in CHUNK_KEYS if key in doc.spans)


def annotation(kind: str, doc: Doc) -> list[Any]:
    """RETURNS (list): What a head of this kind sets, without its probabilities."""
    if kind == "ctx_chunker":
        return [(span.start, span.end, span.label_) for span in chunks(doc)]
    return entities(doc) if kind == "ctx_ner" else [token.tag_ or token.pos_ for token in doc]


def probabilities(kind: str, doc: Doc) -> list[float]:
    """RETURNS (list[float]): The probabilities that a head of this kind gives to what it sets."""
    if kind == "ctx_chunker":
        return list(chunks(doc).attrs["scores"])
    if kind == "ctx_ner":
        return list(doc.spans["ctx_ner"].attrs["scores"])
    return [token._.ctx_tag_score if token.tag_ else token._.ctx_pos_score for token in doc]


def weights(nlp: Language) -> bytes:
    """RETURNS (bytes): All weights of a pipeline."""
    return b"".join(pipe.model.to_bytes() for _, pipe in nlp.pipeline if hasattr(pipe, "model"))


def parameters(nlp: Language) -> Iterator[tuple[str, Any]]:
    """YIELDS (tuple): Names and arrays of all weights of a pipeline, always in the same order."""
    for pipe_name, pipe in nlp.pipeline:
        for node in pipe.model.walk() if hasattr(pipe, "model") else ():
            for name in node.param_names:
                yield f"{pipe_name}.{node.name}.{name}", node.get_param(name).copy()
            for shim in node.shims[:1]:
                for name, values in shim.module.named_parameters():
                    yield f"{pipe_name}.{name}", values.detach().numpy().copy()
