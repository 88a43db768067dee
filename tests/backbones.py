"""Tiny encoders with random weights, one of each kind of architecture and tokenizer, built offline in a moment.

Their folders hold what a folder of the hub holds: `config.json`, `model.safetensors`, `tokenizer.json`,
`tokenizer_config.json`. The pieces are those of the lines below, and the same every time, which the trainers of
`tokenizers` for WordPiece and Unigram do not promise. All read 48 pieces at most, so that windows happen.
"""

import json
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LINES = [
    "Ada Lovelace wrote to Charles Babbage in London about the engine, and he answered from Cambridge.",
    "The river Elbe rises in the Karkonosze and flows through Hamburg; 3,000 ships passed in 1998.",
    "Don't reject the U.K.'s call: it isn't over until the 4th of May!",
    "Das große Haus gehört Frau Müller. L'été à Besançon était très beau.",
    "東京は日本の首都です。 北京是中国的首都。",
    "Москва слезам не верит. Η Αθήνα είναι όμορφη. שלום עולם مرحبا بالعالم",
]
PIECES = 48
WIDTH = 16


class Kind(NamedTuple):
    """An architecture with its usual tokenizer."""

    tokenizer: Callable[[], Tokenizer]
    specials: Dict[str, str]  # of tokenizer_config.json
    settings: Dict[str, Any]  # of config.json


def _word_pieces(lowercase: bool) -> Tokenizer:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(dict(zip(specials, range(5), strict=True)), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    pieces = [*specials, *_pieces_of_lines(tokenizer, "##")]
    tokenizer.model = models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    tokenizer.add_special_tokens(specials)
    return _surround(tokenizer, "[CLS]", "[SEP]")


def _byte_pairs(begin: str, end: str, others: List[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[begin, others[0], end, *others[1:]],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    if begin != "<s>":
        return _surround(tokenizer, begin, end)
    ids = [(each, tokenizer.token_to_id(each)) for each in (end, begin)]
    tokenizer.post_processor = processors.RobertaProcessing(*ids, trim_offsets=True, add_prefix_space=False)
    return tokenizer


def _unigram(specials: List[str], unknown: str, begin: str, end: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    scored = [(piece, -9.0 + len(piece)) for piece in _pieces_of_lines(tokenizer, "")]
    tokenizer.model = models.Unigram([*((each, 0.0) for each in specials), *scored], unk_id=specials.index(unknown))
    tokenizer.add_special_tokens(specials)
    return _surround(tokenizer, begin, end)


def _pieces_of_lines(tokenizer: Tokenizer, inner: str) -> List[str]:
    """All characters of the lines, and their words cut at every third, sorted.

    inner (str): What marks a piece inside of a word.
    """
    found = set()
    for line in LINES:
        normal = tokenizer.normalizer.normalize_str(line)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
            found |= {word[:3], *word, *(inner + character for character in word)}
            found |= {inner + word[i : i + 3] for i in range(3, len(word), 3)}
    return sorted(found)


def _surround(tokenizer: Tokenizer, begin: str, end: str) -> Tokenizer:
    ids = [(each, tokenizer.token_to_id(each)) for each in (begin, end)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin}:0 $A:0 {end}:0", pair=f"{begin}:0 $A:0 {end}:0 $B:1 {end}:1", special_tokens=ids
    )
    return tokenizer


BERT_TOKENS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA_TOKENS = {
    "bos": "<s>",
    "eos": "</s>",
    "cls": "<s>",
    "sep": "</s>",
    "pad": "<pad>",
    "unk": "<unk>",
    "mask": "<mask>",
}
COMMON = {
    "hidden_size": WIDTH,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": PIECES,
    "initializer_range": 0.3,  # random vectors that differ from each other
}
DISTILBERT = {
    "dim": WIDTH,
    "hidden_dim": 24,
    "n_layers": 2,
    "n_heads": 2,
    "max_position_embeddings": PIECES,
    "initializer_range": 0.3,
}
ROBERTA = {**COMMON, "max_position_embeddings": PIECES + 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
DEBERTA = {
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
MODERN = {
    "pad_token_id": 1,
    "cls_token_id": 0,
    "sep_token_id": 2,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "global_attn_every_n_layers": 2,
    "local_attention": 16,
}
KINDS = {
    "bert": Kind(lambda: _word_pieces(True), BERT_TOKENS, {**COMMON, "pad_token_id": 0}),
    "electra": Kind(
        lambda: _word_pieces(False),
        BERT_TOKENS,
        {**COMMON, "embedding_size": 8, "pad_token_id": 0, "num_attention_heads": 2},
    ),
    "distilbert": Kind(lambda: _word_pieces(True), BERT_TOKENS, {**DISTILBERT, "pad_token_id": 0}),
    "roberta": Kind(lambda: _byte_pairs("<s>", "</s>", ["<pad>", "<unk>", "<mask>"]), ROBERTA_TOKENS, ROBERTA),
    "modernbert": Kind(
        lambda: _byte_pairs("[CLS]", "[SEP]", ["[PAD]", "[UNK]", "[MASK]"]), BERT_TOKENS, {**COMMON, **MODERN}
    ),
    "xlm-roberta": Kind(
        lambda: _unigram(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<unk>", "<s>", "</s>"), ROBERTA_TOKENS, ROBERTA
    ),
    "deberta-v2": Kind(
        lambda: _unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"], "[UNK]", "[CLS]", "[SEP]"),
        BERT_TOKENS,
        {**COMMON, **DEBERTA, "pad_token_id": 0},
    ),
}
DROPOUTS = {
    **dict.fromkeys(KINDS, ("hidden_dropout_prob", "attention_probs_dropout_prob")),
    "modernbert": ("embedding_dropout", "attention_dropout", "mlp_dropout"),
    "distilbert": ("dropout", "attention_dropout"),
}
TOKENIZER_CLASSES = {
    "bert": "BertTokenizer",
    "electra": "ElectraTokenizer",
    "distilbert": "DistilBertTokenizer",
    "roberta": "RobertaTokenizer",
    "modernbert": "PreTrainedTokenizerFast",
    "xlm-roberta": "XLMRobertaTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
}


def make_backbone(kind: str, path: Path, **settings: Any) -> str:
    """Write the folder of a tiny encoder.

    kind (str): One of KINDS.
    path (Path): Where; a folder that does not exist yet.
    settings (Any): Overrides of its config.json.
    RETURNS (str): The path, as `name` of a spacy-ctxtag.Backbone.v1 takes it.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    tokenizer = KINDS[kind].tokenizer()
    config = AutoConfig.for_model(
        kind, **{**KINDS[kind].settings, "vocab_size": tokenizer.get_vocab_size(), **settings}
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch about itself, when ModernBERT is first imported
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(path)
    tokenizer.save(str(path / "tokenizer.json"))
    tokens = {f"{name}_token": token for name, token in KINDS[kind].specials.items()}
    about = {
        "tokenizer_class": TOKENIZER_CLASSES[kind],
        "model_max_length": 512,
        **tokens,
    }  # more than the encoder takes
    (path / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf8")
    return str(path)


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny BERT, width 16."""
    return make_backbone("bert", tmp_path_factory.mktemp("backbone") / "bert")


@pytest.fixture(scope="session")
def tiny_backbones(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: str) -> Dict[str, str]:
    """The folders of all kinds of tiny encoders, by the name of the kind."""
    folder = tmp_path_factory.mktemp("backbones")
    others = {kind: make_backbone(kind, folder / kind) for kind in KINDS if kind != "bert"}
    return {"bert": tiny_backbone, **others}


@pytest.fixture(scope="session")
def steady_backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny BERT without dropout of its own, so that the same batch gives the same gradient."""
    return _make_steady("bert", tmp_path_factory.mktemp("steady"))


@pytest.fixture(scope="session")
def steady_backbones(tmp_path_factory: pytest.TempPathFactory, steady_backbone: str) -> Dict[str, str]:
    """The folders of all kinds of tiny encoders without dropout of their own."""
    folder = tmp_path_factory.mktemp("steady_backbones")
    return {"bert": steady_backbone, **{kind: _make_steady(kind, folder) for kind in KINDS if kind != "bert"}}


def _make_steady(kind: str, folder: Path) -> str:
    return make_backbone(kind, folder / kind, **dict.fromkeys(DROPOUTS[kind], 0.0))
