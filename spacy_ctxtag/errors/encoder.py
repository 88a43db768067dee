"""Messages of CT0xx: the encoder."""


class EncoderErrors:
    """See `Errors`, through which they are used."""

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
    CT021 = (
        "The tokenizer of the backbone at {path} is a SentencePiece model ({file}). Reading it needs a library: `pip "
        "install 'spacy-ctxtag[sentencepiece]'`. A pipeline that is trained with it does not."
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
