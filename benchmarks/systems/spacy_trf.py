"""spaCy's `ner`, or two of its `tagger`s, on spacy-transformers' `transformer`.

The configuration is what `spacy init config --pipeline ner --optimize accuracy --gpu` writes, but for the weights, the
batches (the same for all systems) and the length of the schedule: its warm-up and linear decay, written for 20,000
steps, are fitted to the steps of this training.
"""

from . import upos_tagger  # noqa: F401  (registers the factory that UPOS_TAGGER names)
from .common import Run, Sentence, main, weights
from .spacy_loop import SpacySystem

TRANSFORMER = """
[nlp]
lang = "en"
pipeline = {pipeline}

[components]

[components.transformer]
factory = "transformer"
max_batch_items = 4096

[components.transformer.model]
@architectures = "spacy-transformers.TransformerModel.v3"
name = "{weights}"
tokenizer_config = {{"use_fast": true}}

[components.transformer.model.get_spans]
@span_getters = "spacy-transformers.strided_spans.v1"
window = 128
stride = 96
"""

NER = """
[components.ner]
factory = "ner"

[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 64
maxout_pieces = 2
use_upper = false
"""

TAGGER = """
[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"
"""

UPOS_TAGGER = """
[components.upos_tagger]
factory = "benchmark_upos_tagger"

[components.upos_tagger.model]
@architectures = "spacy.Tagger.v2"
"""

LISTENER = """
[components.{name}.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0

[components.{name}.model.tok2vec.pooling]
@layers = "reduce_mean.v1"
"""


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    heads = {"ner": NER} if "ner" in train[0].tags else {"tagger": TAGGER, "upos_tagger": UPOS_TAGGER}
    pipeline = str(["transformer", *heads]).replace("'", '"')
    config = TRANSFORMER.format(pipeline=pipeline, weights=weights())
    config += "".join(head + LISTENER.format(name=name) for name, head in heads.items())
    return SpacySystem(run, train, config, rate=run.lr)


if __name__ == "__main__":
    main(build)
