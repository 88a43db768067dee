"""The default configs of the heads, as in a config file. Each has an encoder of its own, characters and orthography."""

from thinc.api import Config

TOK2VEC = """
[component.model.tok2vec]
@architectures = "spacy-ctxtag.Features.v1"

[component.model.tok2vec.encoder]
@architectures = "spacy-ctxtag.Encoder.v1"

[component.model.tok2vec.encoder.backbone]
@misc = "spacy-ctxtag.MiniLM.v1"

[component.model.tok2vec.characters]
@layers = "spacy-ctxtag.CharCNN.v1"

[component.model.tok2vec.orthography]
@layers = "spacy-ctxtag.Orthography.v1"
"""

SPANS = """
scheme = "BILUO"
within_sentences = false
threshold = 0.0
thresholds = {}
alternatives = null
n_best = 1
decode = "viterbi"
mbr_cost = 0.5
temperature = 1.0
score_maps = {}
incorrect_spans_key = null
costs = {}
label_smoothing = 0.0
entity_ratio = null
entity_ratio_margin = 0.05
entity_ratio_weight = 10.0
loss_weight = 1.0

[component.scorer]
@scorers = "{scorer}"

[component.model]
@architectures = "spacy-ctxtag.NER.v1"
"""

NER = Config().from_str(
    "[component]\nrespect_entities = true" + SPANS.replace("{scorer}", "spacy-ctxtag.ner_scorer.v1") + TOK2VEC
)["component"]

CHUNKER = Config().from_str(
    '[component]\nspans_key = "chunks"' + SPANS.replace("{scorer}", "spacy-ctxtag.chunker_scorer.v1") + TOK2VEC
)["component"]

TAGGER = Config().from_str(
    """
[component]
target = "tag"
overwrite = true
label_smoothing = 0.0
loss_weight = 1.0

[component.scorer]
@scorers = "spacy-ctxtag.tagger_scorer.v1"

[component.model]
@architectures = "spacy-ctxtag.Tagger.v1"
"""
    + TOK2VEC
)["component"]
