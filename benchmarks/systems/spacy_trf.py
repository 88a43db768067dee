"""spaCy's `ner`, or two of its `tagger`s, on spacy-transformers' `transformer`.

The configuration is what `spacy init config --pipeline ner --optimize accuracy --gpu` writes, but for the weights.
Its learning-rate schedule is kept in shape (warm-up, then linear decay) and fitted to the steps of this training:
written for 20,000 steps, it would hardly have warmed up when a short training ends.
"""

from thinc.api import Adam, Config, warmup_linear

from .common import Run, Sentence, main, weights
from .spacy_loop import SpacySystem

TRANSFORMER = """
[nlp]
lang = "en"
pipeline = {pipeline}

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
factory = "benchmark_column_tagger"
column = "upos"

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
    steps = run.steps
    optimizer = Adam(
        warmup_linear(run.lr, steps // 10, steps), L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=False
    )
    settings = {
        "optimizer": "Adam, L2 0.01 as weight decay, gradient clipped at 1.0",
        "learn_rate": {"peak": run.lr, "warmup_steps": steps // 10, "decay_to_zero_at_step": steps},
        "dropout": 0.1,
    }
    return SpacySystem(run, train, config=Config().from_str(config), optimizer=optimizer, dropout=0.1, settings=settings)


if __name__ == "__main__":
    main(build)
