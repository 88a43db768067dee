"""Planted label errors: how many of the first hundred findings of `ctx find-label-errors` are some of them.

    .venv/bin/python benchmarks/label_errors.py --data DIR

One entity in twenty of wikigold (all its files together) gets an error, seeded, in equal parts: another label; taken
away; a border moved by a token; a span invented where there is none. Then the command runs on it, with configs/ner.cfg,
three folds and 160 updates; a run that was cut off goes on. A finding that overlaps a planted error counts, each error
once. The errors that the corpus had before count as misses, so precision is a lower bound.

Rankings of the same trainings are compared: `weakest`, that of the command; `raw weakest`, without the temperature;
`odds`, those of the two readings; `plain`, 1 - P of annotated spans and P of others; `isotonic`, these after a map to
the share that is annotated; and two that see tokens only: `tokens`, the lowest probability of the annotated class, and
cleanlab's confident learning, if that is installed (`pip install cleanlab`). Of their tokens that stand side by side,
or in one annotated span, the first counts.

`results/label_errors.json` holds the figures. `--assets` does the same on the corpus that ships, which is small.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import accuracy
import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.tokens import Doc, DocBin, Span
from systems.common import environ, environment, write_result

from spacy_ctxtag.crf import Chains, posterior, spans_above
from spacy_ctxtag.data.records import Problem
from spacy_ctxtag.data.sources import ReadOptions, SourceReader, find_files
from spacy_ctxtag.evaluation.thresholds import fit_score_map
from spacy_ctxtag.learning.label_errors import PLACE, find_label_errors, rank

RESULT = accuracy.HERE / "results" / "label_errors.json"
WORK = accuracy.HERE / "work" / "label_errors"
KINDS = ("wrong label", "missing annotation", "boundary", "spurious annotation")
SHARE = 0.05  # of the entities
FIRST = 100
LEAST = 0.05  # spans below it do not enter the isotonic map

LabelledSpan = tuple[int, int, str]


@dataclass(frozen=True)
class Planted:
    """An error: its document, the tokens that it touches, its kind as the command calls it."""

    document: int
    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Place:
    """Tokens of a document that a ranking points at."""

    document: int
    start: int
    end: int


# The corpus


def read(folder: Path) -> list[Doc]:
    """The documents of all files below a folder."""
    problems: list[Problem] = []
    reader = SourceReader(spacy.blank("en"), ReadOptions())
    docs = [doc for path in find_files([folder], problems) for doc in reader.read(path, problems)]
    errors = [str(problem) for problem in problems if problem.is_error]
    if errors:
        raise SystemExit("\n".join(errors))
    return docs


def plant(docs: list[Doc], share: float, seed: int) -> list[Planted]:
    """Change the entities of documents. RETURNS: the errors, none beside another."""
    chance = random.Random(seed)
    entities = [[(ent.start, ent.end, ent.label_) for ent in doc.ents] for doc in docs]
    found = [(n, ent) for n, ents in enumerate(entities) for ent in ents]
    labels = [ent[2] for _, ent in found]
    wanted = round(share * len(found))
    kinds = [KINDS[i % len(KINDS)] for i in range(wanted)]
    chance.shuffle(found)
    touched = [np.zeros(len(doc) + 2, dtype=bool) for doc in docs]  # shifted by one
    errors: list[Planted] = []
    for kind in kinds:
        if kind == "spurious annotation":
            n, old, new = _invent(docs, entities, touched, labels, chance)
        else:
            n, old, new = next(
                (n, ent, made)
                for n, ent in iter(found.pop, None)
                if not touched[n][ent[0] : ent[1] + 2].any()
                for made in [_changed(docs[n], ent, kind, entities[n], labels, chance)]
                if made is not False
            )
        spans = [span for span in (old, new) if span]
        start, end = min(span[0] for span in spans), max(span[1] for span in spans)
        touched[n][start : end + 2] = True
        entities[n] = [ent for ent in entities[n] if ent != old] + ([new] if new else [])
        errors.append(Planted(n, start, end, kind))
    for doc, ents in zip(docs, entities, strict=True):
        doc.set_ents([Span(doc, start, end, label=label) for start, end, label in sorted(ents)])
    return errors


def _changed(
    doc: Doc, ent: LabelledSpan, kind: str, others: list[LabelledSpan], labels: list[str], chance: random.Random
) -> Any:
    """What stands in the place of an entity: a span, None for nothing; False where there is no such change."""
    start, end, label = ent
    if kind == "missing annotation":
        return None
    if kind == "wrong label":
        return (start, end, chance.choice(sorted({*labels} - {label})))
    taken = {i for i, j, _ in others if (i, j) != (start, end) for i in range(i, j)}
    moved = [(start - 1, end), (start + 1, end), (start, end - 1), (start, end + 1)]
    fits = [
        (i, j, label)
        for i, j in moved
        if 0 <= i < j <= len(doc)
        and not taken & set(range(i, j))
        and all(not token.is_punct for token in doc[i:j])
        and not any(token.is_sent_start for token in doc[i + 1 : j])
    ]
    return chance.choice(fits) if fits else False


def _invent(
    docs: list[Doc],
    entities: list[list[LabelledSpan]],
    touched: list[NDArray[np.bool_]],
    labels: list[str],
    chance: random.Random,
) -> tuple[int, None, LabelledSpan]:
    """A span of words where no entity is, as long as some entity and with a label as often as it occurs."""
    lengths = [end - start for ents in entities for start, end, _ in ents]
    tokens = [len(doc) for doc in docs]
    while True:
        n = chance.choices(range(len(docs)), tokens)[0]
        length, start = chance.choice(lengths), chance.randrange(len(docs[n]))
        end = start + length
        inside = any(i < end + 1 and start - 1 < j for i, j, _ in entities[n])
        words = docs[n][start:end]
        whole = len(words) == length and not any(token.is_sent_start for token in words[1:])
        if whole and not inside and not touched[n][start : end + 2].any() and all(token.is_alpha for token in words):
            return n, None, (start, end, chance.choice(labels))


# Rankings


def places(findings: Iterable[dict[str, Any]]) -> list[Place]:
    return [Place(found["number"], found["start"], found["end"]) for found in findings]


def plain(finding: dict[str, Any], score: Callable[[float], float] = float) -> float:
    """1 - P of what is annotated, or P of what is not."""
    if finding["annotated"]:
        return 1.0 - score(finding["annotated_probability"])
    return score(finding["proposed_probability"])


@dataclass
class Tokens:
    """The class probabilities (T, C) of the tokens of each document, and their annotated classes (T,)."""

    probs: dict[int, NDArray[np.float64]]
    gold: dict[int, NDArray[np.int64]]


def score_folds(folder: Path, folds: int) -> tuple[Tokens, list[dict[str, Any]], NDArray[np.float64]]:
    """RETURNS: tokens, findings without a temperature, and (N, 2) spans: their probability, and whether annotated."""
    tokens, raw, spans = Tokens({}, {}), [], []
    classes: list[str] = []
    for fold in range(1, folds + 1):
        [models] = folder.glob(f"fold{fold}-*/models")
        nlp = spacy.load(models / "model-best")
        ner: Any = nlp.get_pipe("ctx_ner")
        docs = list(DocBin().from_disk(folder / f"fold{fold}.test.spacy").get_docs(nlp.vocab))
        raw += find_label_errors(nlp, docs, temperature=1.0)
        classes = classes or ["O", *ner.labels]
        width = len(ner.grammar.prefixes)
        for doc in docs:
            number = doc.user_data[PLACE]["number"]
            probs = ner.tag_probs(Doc(nlp.vocab, [token.text for token in doc], [bool(t.whitespace_) for t in doc]))
            by_label = probs[:, 1:].reshape(len(doc), -1, width).sum(axis=2)
            table = np.zeros((len(doc), len(classes)))
            table[:, 0] = probs[:, 0]
            for column, label in enumerate(ner.labels):
                table[:, classes.index(label)] = by_label[:, column]
            tokens.probs[number] = table
            tokens.gold[number] = np.array([classes.index(token.ent_type_ or "O") for token in doc])
            spans += rated_spans(ner, doc)
    return tokens, raw, np.array(spans)


def rated_spans(ner: Any, doc: Doc) -> list[tuple[float, bool]]:
    """Every span of a document that is probable enough, chosen without regard to the annotation, and whether it is
    annotated."""
    words = Doc(doc.vocab, [token.text for token in doc], [bool(token.whitespace_) for token in doc])
    chains, [of_doc] = ner.chains([words])
    gold = {(ent.start, ent.end, ent.label_) for ent in doc.ents}
    found = []
    for at, emissions in zip(of_doc.tokens, chains.emissions, strict=True):
        one = Chains([emissions], chains.start, chains.transition, chains.end)
        spans, log_probs = spans_above(posterior(one, ner.grammar)[0], LEAST)
        for (i, j, label), log_prob in zip(spans.tolist(), log_probs.tolist(), strict=True):
            span = (int(at[i]), int(at[j - 1]) + 1, ner.labels[label])
            found.append((float(np.exp(log_prob)), span in gold))
    return found


def by_token(tokens: Tokens) -> list[Place]:
    """Tokens by the probability of their annotated class, the lowest first."""
    gold = [(n, at, tag) for n in tokens.probs for at, tag in enumerate(tokens.gold[n].tolist())]
    scored = [(float(tokens.probs[n][at, tag]), n, at) for n, at, tag in gold]
    return apart([(n, at) for _, n, at in sorted(scored)], tokens)


def by_cleanlab(tokens: Tokens) -> list[Place]:
    """Tokens that cleanlab takes for label issues, in its order, then all others by its score."""
    from cleanlab.token_classification.filter import find_label_issues
    from cleanlab.token_classification.rank import get_label_quality_scores

    order = sorted(tokens.probs)
    labels, probs = [tokens.gold[n].tolist() for n in order], [tokens.probs[n] for n in order]
    issues = [(order[n], at) for n, at in find_label_issues(labels, probs)]
    _, scores = get_label_quality_scores(labels, probs)
    rest = sorted((float(score), order[n], at) for n, of_doc in enumerate(scores) for at, score in enumerate(of_doc))
    listed = set(issues)
    return apart([*issues, *((n, at) for _, n, at in rest if (n, at) not in listed)], tokens)


def apart(ranked: list[tuple[int, int]], tokens: Tokens) -> list[Place]:
    """Places of one token each; those beside an earlier one, or in its annotated span, are left out."""
    seen: set[tuple[int, int]] = set()
    found = []
    for n, at in ranked:
        gold = tokens.gold[n]
        start, end = at, at + 1
        while gold[at] and start and gold[start - 1] == gold[at]:
            start -= 1
        while gold[at] and end < len(gold) and gold[end] == gold[at]:
            end += 1
        if not seen & {(n, i) for i in range(start - 1, end + 1)}:
            found.append(Place(n, at, at + 1))
        seen.add((n, at))
    return found


# Scores


def hits(ranked: list[Place], errors: list[Planted]) -> list[Planted | None]:
    """RETURNS: for each place the error that it finds, where no earlier one has."""
    left: dict[int, list[Planted]] = {}
    for error in errors:
        left.setdefault(error.document, []).append(error)
    found: list[Planted | None] = []
    for place in ranked:
        here = left.get(place.document, [])
        hit = next((e for e in here if e.start < place.end and place.start < e.end), None)
        if hit:
            here.remove(hit)
        found.append(hit)
    return found


def figures(ranked: list[Place], errors: list[Planted]) -> dict[str, Any]:
    """Precision of the first hundred, recall among as many findings as there are errors, average precision: percent."""
    found = hits(ranked, errors)
    right = np.array([hit is not None for hit in found], dtype=float)
    upto = np.cumsum(right)
    total, n = Counter(e.kind for e in errors), len(errors)
    kinds = Counter(hit.kind for hit in found[:n] if hit)
    return {
        "precision_first_hundred": round(100 * float(right[:FIRST].sum()) / FIRST, 2),
        "recall": round(100 * float(right[:n].sum()) / n, 2),
        "recall_by_kind": {kind: round(100 * kinds[kind] / total[kind], 2) for kind in KINDS if total[kind]},
        "average_precision": round(100 * float((right * upto / np.arange(1, len(right) + 1)).sum()) / n, 2),
        "found_in_all": round(100 * float(right.sum()) / n, 2),
        "listed": len(ranked),
    }


def corrected(findings: list[dict[str, Any]], errors: list[Planted], truth: list[list[LabelledSpan]]) -> float:
    """RETURNS: of the errors that the first hundred findings find, the percentage whose proposal is what was there."""
    first = findings[:FIRST]
    found = [(f, hit) for f, hit in zip(first, hits(places(first), errors), strict=True) if hit]
    good = [
        {(s["start"], s["end"], s["label"]) for s in f["proposed"]}
        == {span for span in truth[hit.document] if span[0] < f["end"] and f["start"] < span[1]}
        for f, hit in found
    ]
    return round(100 * sum(good) / max(1, len(good)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, default=os.environ.get("CTXTAG_DATA"), help="folder of the corpora (else $CTXTAG_DATA)")
    add("--assets", action="store_true", help="the shipped corpus instead of wikigold")
    add("--config", type=Path, default=accuracy.ROOT / "configs" / "ner.cfg", help="of the pipelines: a ctx_ner")
    add("--folds", type=int, default=3)
    add("--seed", type=int, default=0)
    add("--steps", type=int, default=160, help="of each training")
    add("--threads", type=int, default=os.cpu_count(), help="threads of each training")
    add("--quick", action="store_true", help="shipped corpus, 2 folds, 4 steps: to see that it runs; nothing is kept")
    options = parser.parse_args()
    if options.quick:
        options.assets, options.folds, options.steps = True, 2, 4
    if not options.assets and options.data is None:
        parser.error("--data or --assets is needed")
    name = "assets" if options.assets else "wikigold"
    folders = [accuracy.ROOT / "assets" / split for split in ("train", "dev", "test")]
    docs = [doc for folder in (folders if options.assets else [options.data / name]) for doc in read(folder)]
    truth = [[(ent.start, ent.end, ent.label_) for ent in doc.ents] for doc in docs]
    errors = plant(docs, SHARE, options.seed)
    work = WORK / f"{name}-{options.seed}-{options.config.stem}{'-quick' if options.quick else ''}"
    work.mkdir(parents=True, exist_ok=True)
    corpus, output = work / "planted.spacy", work / "findings.jsonl"
    DocBin(docs=docs, store_user_data=True).to_disk(corpus)
    command = [sys.executable, "-m", "spacy", "ctx", "find-label-errors", str(options.config)]
    command += [str(corpus), "--output", str(output), "--folds", str(options.folds), "--seed", str(options.seed)]
    command += ["--least", str(LEAST), "--top", "5", "--keep-models", "--training.max_steps", str(options.steps)]
    command += ["--training.eval_frequency", "30"]
    subprocess.run(command, env=environ(options.threads), check=True)
    findings = [json.loads(line) for line in output.read_text(encoding="utf8").splitlines()]
    tokens, raw, spans = score_folds(output.with_suffix(".folds"), options.folds)
    corners = fit_score_map(spans[:, 0], spans[:, 1]) or ([0.0, 1.0], [0.0, 1.0])
    rankings = {
        "weakest": places(findings),
        "raw weakest": places(rank(raw, LEAST)),
        "odds": places(sorted(findings, key=lambda f: -f["log_odds"])),
        "plain": places(sorted(findings, key=plain, reverse=True)),
        "isotonic": places(
            sorted(rank(raw, LEAST), key=lambda f: plain(f, lambda p: float(np.interp(p, *corners))), reverse=True)
        ),
        "tokens": by_token(tokens),
    }
    if find_spec("cleanlab") is not None:
        rankings["cleanlab"] = by_cleanlab(tokens)
    scores = {kind: figures(ranked, errors) for kind, ranked in rankings.items()}
    print(f"\n{len(errors)} errors in {sum(map(len, truth))} entities of {name}, {len(docs)} documents")
    for kind, each in scores.items():
        kinds = "  ".join(f"{k} {v:.0f}" for k, v in each["recall_by_kind"].items())
        print(
            f"{kind:11} first hundred {each['precision_first_hundred']:5.1f}   recall {each['recall']:5.1f}   AP "
            f"{each['average_precision']:5.1f}   {kinds}"
        )
    right = corrected(findings, errors, truth)
    print(f"{right:.1f} % of those among the first hundred are proposed as they were")
    if options.quick:
        print(f"\n{RESULT.name} is written by a full run only")
        return
    ours, least = scores["weakest"], scores["plain"]["precision_first_hundred"]
    claims = [
        accuracy.claim(f"{name}.first-hundred.weakest", ours["precision_first_hundred"], at_least=least),
        accuracy.claim(f"{name}.recall.weakest", ours["recall"], at_least=0),
        accuracy.claim(f"{name}.corrected", right, at_least=0),
    ]
    claims += [
        accuracy.claim(f"{name}.first-hundred.{kind.replace(' ', '-')}", each["precision_first_hundred"], at_least=0)
        for kind, each in scores.items()
        if kind != "weakest"
    ]
    claims += [
        accuracy.claim(f"{name}.recall.{kind.replace(' ', '-')}", each["recall"], at_least=0)
        for kind, each in scores.items()
        if kind != "weakest"
    ]
    claims += [
        accuracy.claim(f"{name}.recall-of-{kind.replace(' ', '-')}.weakest", value, at_least=0)
        for kind, value in ours["recall_by_kind"].items()
    ]
    about = {"unit": "percent", "corpus": name, "errors": len(errors), "entities": sum(map(len, truth))}
    settings = {
        "folds": options.folds,
        "seed": options.seed,
        "steps": options.steps,
        "share": SHARE,
        "config": options.config.name,
    }
    raw_record = {"scores": scores, "planted": [asdict(error) for error in errors]}
    write_result(RESULT, environment() | about | {"settings": settings, "raw": raw_record, "claims": claims})


if __name__ == "__main__":
    main()
