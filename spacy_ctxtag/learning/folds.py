"""Cut a corpus into folds, so that every document can be scored by a pipeline that has not learned from it.

```
documents ──text_key──▶ groups ──cut──▶ a fold each, balanced ──write_folds──▶ a training a fold (`ablation.Run`)
```

Documents whose texts differ in case, digits, punctuation and white space alone are never parted. It is the matter of
`evaluation.ablation` to do the trainings.
"""

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc, DocBin
from spacy.util import load_config

from ..data.config_files import flatten
from ..data.convert import write_docbin
from ..errors import Errors
from ..evaluation.ablation import Run, Variant, make_runs
from ..training.fingerprint import hash_text

TRAIN, DEV = "paths.train", "paths.dev"
DEV_SHARE = 10  # a tenth of what is not in a fold is its dev
_NOISE = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d")


def text_key(text: str) -> str:
    """RETURNS (str): A hash that texts share which differ in case, digits, punctuation and white space alone."""
    plain = _NOISE.sub(" ", _DIGITS.sub("0", text.casefold())).strip()
    return hash_text(plain or text)


def count_labels(doc: Doc) -> Counter[str]:
    """RETURNS (Counter): How often each label and tag stands in a document, and its tokens: what to balance."""
    counts = Counter({"": len(doc)})
    counts.update(f"ent {ent.label_}" for ent in doc.ents)
    counts.update(f"span {key} {span.label_}" for key, group in doc.spans.items() for span in group)
    counts.update(f"tag {token.tag_} {token.pos_}" for token in doc if token.tag or token.pos)
    return counts


def cut(keys: Sequence[str], counts: Sequence[Counter[str]], n: int, seed: int = 0) -> List[int]:
    """Cut documents into folds.

    The groups are dealt one after the other, those with the greatest share of anything first, each to the fold that has
    the least of what it holds: the greedy form of iterative stratification (Sechidis et al. 2011).

    keys (Sequence[str]): For each document a key; those of one key stay together.
    counts (Sequence[Counter]): For each document, how much it holds of what is to be balanced.
    n (int): Folds.
    seed (int): Of the order of groups that are equal.
    RETURNS (List[int]): For each document its fold, from 0. None is empty.
    RAISES (ValueError): CT760 for fewer groups than folds.
    """
    groups: Dict[str, Counter[str]] = {}
    for key, each in zip(keys, counts, strict=True):
        groups.setdefault(key, Counter()).update(each)
    if n < 2 or len(groups) < n:
        raise ValueError(Errors.CT760.format(folds=n, texts=len(groups)))
    total: Counter[str] = Counter()
    for each in groups.values():
        total.update(each)
    column = {name: i for i, name in enumerate(sorted(name for name, number in total.items() if number))}
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    shares = np.zeros((len(order), len(column) + 1))  # (groups, what is balanced) of the whole corpus
    shares[:, -1] = 1 / len(order)
    for row, key in enumerate(order):
        for name, number in groups[key].items():
            if number:
                shares[row, column[name]] = number / total[name]
    loads = np.zeros((n, shares.shape[1]))
    fold_of = {}
    for row in np.argsort(-shares.sum(axis=1), kind="stable").tolist():
        fold = int(np.argmin(loads @ shares[row]))  # of the sum of squares, this grows the least
        loads[fold] += shares[row]
        fold_of[order[row]] = fold
    return [fold_of[key] for key in keys]


def write_folds(
    docs: Sequence[Doc],
    folder: Path,
    config: Path,
    overrides: Dict[str, Any],
    *,
    folds: int,
    seed: int,
    code: Optional[Path] = None,
) -> List[Tuple[Run, Path]]:
    """Write for each fold what its pipeline learns from, what chooses the best state of it, and what it is to score.

    docs (Sequence[Doc]): The corpus.
    folder (Path): Gets a `.spacy` file for each part, and a folder for each training.
    config (Path): Of the trainings. overrides (Dict[str, Any]): Settings of it; with `paths.dev` among them that is
        every fold's dev, else a tenth of what is not in the fold.
    code (Optional[Path]): A file with registered functions.
    RETURNS (List[Tuple[Run, Path]]): The training of each fold, and the file that its pipeline is to score.
    RAISES (ValueError): CT760 for too few texts, CT761 where the config would not read them, CT762 for `paths.train`
        among the overrides; CT702, CT703 for a config that cannot be used.
    """
    if TRAIN in overrides:
        raise ValueError(Errors.CT762.format(key=TRAIN))
    keys, counts = [text_key(doc.text) for doc in docs], [count_labels(doc) for doc in docs]
    fold_of = cut(keys, counts, folds, seed)
    variants, files = [], []
    for fold in range(folds):
        name = f"fold{fold + 1}"
        others = [i for i, each in enumerate(fold_of) if each != fold]
        dev = [] if DEV in overrides else _choose_dev(others, keys, counts, seed)
        train = sorted(set(others) - set(dev)) or dev  # a single text is both
        changes = {TRAIN: _write(folder / f"{name}.train.spacy", docs, train)}
        if dev:
            changes[DEV] = _write(folder / f"{name}.dev.spacy", docs, dev)
        test = [i for i, each in enumerate(fold_of) if each == fold]
        files.append(Path(_write(folder / f"{name}.test.spacy", docs, test)))
        variants.append(Variant(name, changes))
    corpus = Path(_write(folder / "corpus.spacy", docs, range(len(docs))))  # what all results depend on
    runs = make_runs(config, overrides, variants, [seed], corpus, folder, code)
    for run, variant in zip(runs, variants, strict=True):
        _check_read(run, variant, config)
    return list(zip(runs, files, strict=True))


def _choose_dev(at: Sequence[int], keys: Sequence[str], counts: Sequence[Counter[str]], seed: int) -> List[int]:
    """RETURNS (List[int]): A tenth of the documents at some places; all of them where they are one text."""
    texts = len({keys[i] for i in at})
    if texts < 2:
        return list(at)
    fold_of = cut([keys[i] for i in at], [counts[i] for i in at], min(DEV_SHARE, texts), seed)
    return [i for i, fold in zip(at, fold_of, strict=True) if fold == 0]


def _write(path: Path, docs: Sequence[Doc], at: Iterable[int]) -> str:
    write_docbin(DocBin(docs=[docs[i] for i in at], store_user_data=True), path)
    return str(path)


def _check_read(run: Run, variant: Variant, path: Path) -> None:
    """RAISES (ValueError): CT761 where no reader of the config takes the files of a variant."""
    read = {str(value) for _, value in flatten(load_config(run.config).interpolate().get("corpora", {}))}
    for key, file in variant.changes.items():
        if file not in read:
            raise ValueError(Errors.CT761.format(path=path, key=key))
