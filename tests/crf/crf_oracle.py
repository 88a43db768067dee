"""Oracles that share no code with the package: enumeration of all paths, and plain log-space recursions."""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from spacy_ctxtag.crf import Chains
from spacy_ctxtag.tags import make_grammar

GRAMMARS = {
    "bio4": make_grammar(["A", "B-C", "Ü", "x y"], "BIO"),
    "biluo2": make_grammar(["A", "B-C"], "BILUO"),
    "bio1": make_grammar(["A"], "BIO"),
    "none": make_grammar([], "BILUO"),
}
SIZED = {f"{s.lower()}{n}": make_grammar(["A", "B-C", "Ü"][:n], s) for s in ("BIO", "BILUO") for n in (1, 2, 3)}
BY_NAME = {**GRAMMARS, **SIZED}


def legal_move(grammar, i, j):
    """Whether tag j may follow tag i, from their names; None is the start as i, the end as j."""
    a, b = ("O" if tag is None else grammar.tags[tag] for tag in (i, j))
    if grammar.scheme == "BILUO" and a[0] in "BI":
        return b[0] in "IL" and a[2:] == b[2:]
    if grammar.scheme == "BIO" and b[0] == "I":
        return a[0] in "BI" and a[2:] == b[2:]
    return b[0] not in "IL"


@cache
def legal_paths(name, length):
    """(paths, T) all well-formed paths."""
    grammar = BY_NAME[name]
    paths = [[]]
    for _ in range(length):
        paths = [
            [*path, tag]
            for path, tag in product(paths, range(len(grammar.tags)))
            if legal_move(grammar, path[-1] if path else None, tag)
        ]
    paths = [path for path in paths if not path or legal_move(grammar, path[-1], None)]
    return np.array(paths, dtype=int).reshape(len(paths), length)


class Enumerated(NamedTuple):
    paths: np.ndarray  # (paths, T), the allowed ones
    scores: np.ndarray  # (paths,)
    log_z: float
    probs: np.ndarray  # (paths,)


def enumerate_paths(chains, index, name, mask=None):
    emissions = chains.emissions[index]
    length = len(emissions)
    paths = legal_paths(name, length)
    if mask is not None:
        paths = paths[mask[np.arange(length), paths].all(axis=1)]
    scores = emissions[np.arange(length), paths].sum(axis=1)
    if length:
        scores = scores + chains.start[paths[:, 0]] + chains.end[paths[:, -1]]
        scores = scores + chains.transition[paths[:, :-1], paths[:, 1:]].sum(axis=1)
    log_z = np.logaddexp.reduce(scores) if len(scores) else -np.inf
    return Enumerated(paths, scores, float(log_z), np.exp(scores - log_z))


def path_spans(grammar, path):
    """The (start, end, label) of a path, from the names of its tags."""
    spans, start = [], None
    names = [grammar.tags[tag] for tag in path] + ["O"]
    for t, name in enumerate(names):
        if start is not None and name[0] not in "IL":
            spans.append((start, t, grammar.labels.index(names[start][2:])))
            start = None
        if name[0] in "BU":
            start = t
    return spans


def span_probs(grammar, enumerated):
    """The probability of every span (start, end, label) of a sequence, those of probability 0 included."""
    length = enumerated.paths.shape[1]
    starts_ends = [(i, j) for i in range(length) for j in range(i + 1, length + 1)]
    probs = {(i, j, label): 0.0 for i, j in starts_ends for label in range(len(grammar.labels))}
    for path, prob in zip(enumerated.paths, enumerated.probs, strict=True):
        for span in path_spans(grammar, path):
            probs[span] += prob
    return probs


def log_space(chains, index, grammar, mask=None):
    """log Z and log marginals (T, K) by the textbook recursion in logs."""
    k = len(grammar.tags)
    ids = range(k)
    phi = chains.emissions[index] if mask is None else np.where(mask, chains.emissions[index], -np.inf)
    move = np.where([[legal_move(grammar, i, j) for j in ids] for i in ids], chains.transition, -np.inf)
    alpha, beta = np.full_like(phi, -np.inf), np.full_like(phi, -np.inf)
    alpha[0] = phi[0] + np.where([legal_move(grammar, None, j) for j in ids], chains.start, -np.inf)
    beta[-1] = np.where([legal_move(grammar, i, None) for i in ids], chains.end, -np.inf)
    for t in range(1, len(phi)):
        alpha[t] = phi[t] + np.logaddexp.reduce(alpha[t - 1][:, None] + move, axis=0)
        s = len(phi) - 1 - t
        beta[s] = np.logaddexp.reduce(move + phi[s + 1] + beta[s + 1], axis=1)
    log_z = np.logaddexp.reduce(alpha[-1] + beta[-1])
    return float(log_z), alpha + beta - log_z


def random_chains(rng, grammar, lengths, scale=2.0):
    k = len(grammar.tags)
    return Chains(
        emissions=[rng.normal(0, scale, (length, k)) for length in lengths],
        start=rng.normal(0, scale, k),
        transition=rng.normal(0, scale, (k, k)),
        end=rng.normal(0, scale, k),
    )


def random_masks(rng, name, lengths, density=0.6):
    """Masks (T, K), random but for one path that stays possible; every fourth is None."""
    masks = []
    for i, length in enumerate(lengths):
        mask = rng.random((length, len(BY_NAME[name].tags))) < density
        paths = legal_paths(name, length)
        mask[np.arange(length), paths[rng.integers(len(paths))]] = True
        masks.append(None if i % 4 == 3 else mask)
    return masks


def path_counts(paths, weights, k):
    """How often each tag and move occurs, a sum over paths with weights: emissions (T, K), start, transition, end."""
    tags, first, moves, last = np.zeros((paths.shape[1], k)), np.zeros(k), np.zeros((k, k)), np.zeros(k)
    for t in range(paths.shape[1]):
        np.add.at(tags[t], paths[:, t], weights)
        if t:
            np.add.at(moves, (paths[:, t - 1], paths[:, t]), weights)
    if paths.shape[1]:
        np.add.at(first, paths[:, 0], weights)
        np.add.at(last, paths[:, -1], weights)
    return tags, first, moves, last


def flat_scores(chains):
    """All scores of chains, or of a gradient, as one vector."""
    return np.concatenate([np.ravel(a) for a in (*chains.emissions, chains.start, chains.transition, chains.end)])


def shifted(chains, vector):
    """Chains with a vector like that of `flat_scores` added."""
    arrays = [*chains.emissions, chains.start, chains.transition, chains.end]
    parts = np.split(vector, np.cumsum([a.size for a in arrays])[:-1])
    moved = [a + part.reshape(a.shape) for a, part in zip(arrays, parts, strict=True)]
    return Chains(moved[:-3], *moved[-3:])


def central_difference(chains, loss, direction, eps=1e-5):
    """The derivative of a scalar loss of chains along a direction, a vector like that of `flat_scores`."""
    step = eps * direction
    return (loss(shifted(chains, step)) - loss(shifted(chains, -step))) / (2 * eps)


def central_differences(chains, loss):
    """The derivative of a scalar loss in every score, as one vector."""
    return np.array([central_difference(chains, loss, unit) for unit in np.eye(len(flat_scores(chains)))])
