"""Transformer-backed, CRF-constrained sequence labelling for spaCy.

The flow, each package knowing only what stands above it:

    text ──spaCy tokenizer──▶ Doc
    Doc ──layers.encoder──▶ token vectors (T, W)     word pieces, windows, backbone, pooling back to tokens
        ──layers──▶ features (T, W')                 character CNN and orthography, fused
        ──layers.crf──▶ emissions and moves          what the chain is scored with
        ──crf──▶ tag path, probabilities of spans    exact, in float64
        ──components──▶ doc.ents, doc.spans, token.tag_, with scores
"""

__version__ = "0.1.0"
