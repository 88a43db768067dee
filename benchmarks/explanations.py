"""How far integrated gradients and occlusion agree on which words moved the probability of an entity.

    .venv/bin/python benchmarks/explanations.py MODEL DATA

MODEL is a pipeline with a `ctx_ner`; DATA a file of sentences (word, tab, BIO tag) that it was not trained on. Of the
entities that it finds in sentences of 5 to 25 words, 40 are drawn and explained by both. Reported are Spearman's rank
correlation over the words of a sentence (by SciPy), over all of them and over those outside the entity; how often both
name the same word as the one that matters most, and how often they would by chance; how far the attributions of
integrated gradients are from adding up, and in how many runs of the model they were found. The result is
`results/explanations.json`.
"""

import argparse
import random
from pathlib import Path
from statistics import mean, median
from typing import Any

import accuracy
import spacy
from scipy.stats import spearmanr
from spacy.tokens import Doc
from systems.common import environment, read_tsv, write_result

RESULT = accuracy.HERE / "results" / "explanations.json"
COUNT = 40
WORDS = range(5, 26)
METHODS = ("integrated_gradients", "occlusion")


def compare(ner: Any, doc: Doc, span: Any) -> dict[str, Any]:
    """RETURNS: how far the two methods agree on one span."""
    integrated, occluded = (ner.explain(doc, span, method=method) for method in METHODS)
    pairs = [integrated.attributions, occluded.attributions]
    outside = [[value for i, value in enumerate(each) if not span.start <= i < span.end] for each in pairs]
    first, second = (max(range(len(doc)), key=each.__getitem__) for each in pairs)
    change = integrated.score - integrated.baseline
    return {
        "words": len(doc),
        "score": round(integrated.score, 4),
        "baseline": round(integrated.baseline, 4),
        "spearman": round(float(spearmanr(*pairs).statistic), 4),
        "spearman_outside": round(float(spearmanr(*outside).statistic), 4) if len(outside[0]) > 2 else None,
        "same_word": first == second,
        "gap": round(abs(integrated.gap) / max(1.0, abs(change)), 6),
        "steps": integrated.steps,
    }


def claims_of(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only that attributions add up is asked for; how far the methods agree, and what it takes, is reported."""
    outside = [each["spearman_outside"] for each in raw if each["spearman_outside"] is not None]
    reported = {
        "spearman.all": round(mean(each["spearman"] for each in raw), 4),
        "spearman.outside": round(mean(outside), 4),
        "same_word": round(100 * mean(each["same_word"] for each in raw), 2),
        "same_word.chance": round(100 * mean(1 / each["words"] for each in raw), 2),
        "steps.median": median(each["steps"] for each in raw),
        "steps.largest": max(each["steps"] for each in raw),
    }
    gap = round(100 * max(each["gap"] for each in raw), 4)
    return [
        accuracy.claim("gap.largest", gap, at_most=1.0),
        *(accuracy.claim(name, value, at_least=0) for name, value in reported.items()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=COUNT, help="entities; with fewer than all nothing is kept")
    options = parser.parse_args()
    nlp = spacy.load(options.model)
    [ner] = [pipe for name, pipe in nlp.pipeline if nlp.get_pipe_meta(name).factory == "ctx_ner"]
    before = environment()
    sentences = [each.words for each in read_tsv(options.data) if len(each.words) in WORDS]
    found = [(doc, span) for doc in nlp.pipe(Doc(nlp.vocab, words) for words in sentences) for span in doc.ents]
    drawn = random.Random(0).sample(found, options.count)
    raw = []
    for i, (doc, span) in enumerate(drawn, start=1):
        raw.append(compare(ner, doc, span))
        if i % 10 == 0:
            print(f"{i} of {len(drawn)}: Spearman {mean(each['spearman'] for each in raw):.3f}", flush=True)
    claims = claims_of(raw)
    for each in claims:
        print(f"{each['claim']:18} {each['value']}")
    if options.count == COUNT:
        about = {"corpus": f"{options.data.parent.name}/{options.data.name}", "spans": len(raw)}
        write_result(RESULT, {**before, **about, "raw": raw, "claims": claims})


if __name__ == "__main__":
    main()
