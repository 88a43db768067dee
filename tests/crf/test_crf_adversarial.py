"""Chains whose scores underflow in probability space, against log-space recursions."""

import numpy as np
import pytest
from crf_oracle import GRAMMARS, legal_paths, log_space

from spacy_ctxtag.crf import Chains, nll, posterior, scaled, span_log_probs
from spacy_ctxtag.crf.chains import build_lattice, prune
from spacy_ctxtag.tags import constraint_mask, tags_to_spans

CASES = 120  # sets of scores for each grammar
PER_CASE = 10


def adversarial(rng, name):
    """Scores at several sizes, sparse spikes, and strong moves; half of the chains masked."""
    grammar = GRAMMARS[name]
    k = len(grammar.tags)
    size = rng.choice([1.0, 30.0, 300.0, 800.0, 3000.0])
    spiky = rng.random() < 0.5

    def draw(*shape):
        values = rng.uniform(-size, size, shape)
        return np.where(rng.random(shape) < 0.2, values, rng.normal(size=shape)) if spiky else values

    strong = rng.choice([0.0, 1.0, 1.0])
    lengths = rng.integers(1, 9, PER_CASE)
    chains = Chains([draw(n, k) for n in lengths], draw(k) * strong, draw(k, k) * strong, draw(k) * strong)
    masks = []
    for i, n in enumerate(lengths):
        short = legal_paths(name, min(int(n), 4))
        path = np.zeros(n, int)
        path[: min(n, 4)] = short[rng.integers(len(short))]
        mask = rng.random((n, k)) < 0.5
        mask[np.arange(n), path] = True
        masks.append(mask if i % 2 else None)
    return chains, masks


def wrong(grammar, chains, masks):
    """How many chains differ from the recursion in log Z, marginals or the probability of one span."""
    count = 0
    for i, (result, mask) in enumerate(zip(posterior(chains, grammar, masks), masks, strict=True)):
        log_z, log_probs = log_space(chains, i, grammar, mask)
        agree = np.isclose(result.log_z, log_z, rtol=1e-9, atol=1e-9)
        agree &= np.allclose(result.tag_probs, np.exp(log_probs), rtol=1e-7, atol=1e-9)
        finite = log_probs > -np.inf
        both = result.log_alpha + result.log_beta - result.log_z
        agree &= np.allclose(both[finite], log_probs[finite], rtol=1e-9, atol=1e-8)
        agree &= bool((both[~finite] == -np.inf).all())
        n = len(log_probs)
        start = i % n
        span = (start, min(n, start + 1 + i % 3), i % len(grammar.labels))
        clamp = constraint_mask(grammar, [span], np.ones(n, bool))
        with np.errstate(invalid="ignore"):
            clamped, _ = log_space(chains, i, grammar, clamp if mask is None else clamp & mask)
        found = span_log_probs(result, [span])[0]
        agree &= bool(np.isclose(found, clamped - log_z, rtol=1e-9, atol=1e-8))
        count += not agree
    return count


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(11)
    return [(name, *adversarial(rng, name)) for name in ("bio4", "biluo2", "bio1") for _ in range(CASES)]


def test_adversarial_chains_equal_log_space(batches):
    assert sum(len(chains.emissions) for _, chains, _ in batches) >= 3000
    assert sum(wrong(GRAMMARS[name], chains, masks) for name, chains, masks in batches) == 0


def test_redo_is_taken_for_some_and_not_for_all(batches):
    redone = [
        scaled.sum_product(prune(build_lattice(chains, GRAMMARS[name], masks), GRAMMARS[name])).redone
        for name, chains, masks in batches
    ]
    assert 300 < np.concatenate(redone).sum() < 3000


def test_without_the_guard_some_are_wrong(batches, monkeypatch):
    monkeypatch.setattr(scaled, "_lost_mass", lambda lattice, *_: np.zeros(len(lattice.rows), bool))
    with np.errstate(all="ignore"):
        assert sum(wrong(GRAMMARS[name], chains, masks) for name, chains, masks in batches[::5]) > 20


def test_silent_loss_without_nan_is_found(monkeypatch):
    # The best path begins with a tag that underflows: the scaled pass finds the others, and no NaN.
    grammar = GRAMMARS["bio1"]  # O B I
    emissions = np.array([[0.0, -800.0, 0.0], [0.0, -800.0, 600.0], [0.0, 0.0, 600.0]])
    chains = Chains([emissions], np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    expected = log_space(chains, 0, grammar)[0]
    assert posterior(chains, grammar)[0].log_z == pytest.approx(expected, abs=1e-9)
    monkeypatch.setattr(scaled, "_lost_mass", lambda lattice, *_: np.zeros(len(lattice.rows), bool))
    with np.errstate(all="ignore"):
        unguarded = posterior(chains, grammar)[0].log_z
    assert np.isfinite(unguarded)
    assert abs(unguarded - expected) > 1.0


def test_gradient_of_adversarial_chains_equals_log_space(batches):
    for name, chains, masks in batches[::7]:
        grammar = GRAMMARS[name]
        free = [np.ones(e.shape, bool) if m is None else m for e, m in zip(chains.emissions, masks, strict=True)]
        tags = [legal_paths(name, 1)[0].repeat(len(e)) for e in chains.emissions]
        gold = [
            constraint_mask(grammar, tags_to_spans(grammar, t), np.arange(len(t)) % 2 > 0) | ~f
            for t, f in zip(tags, free, strict=True)
        ]
        losses, gradient = nll(chains, grammar, gold)
        for i in range(len(gold)):
            all_z, all_logs = log_space(chains, i, grammar)
            gold_z, gold_logs = log_space(chains, i, grammar, gold[i])
            np.testing.assert_allclose(losses[i], all_z - gold_z, rtol=1e-9, atol=1e-8)
            np.testing.assert_allclose(gradient.emissions[i], np.exp(all_logs) - np.exp(gold_logs), atol=1e-9)
        moves = sum(len(e) - 1 for e in chains.emissions)
        assert np.isfinite(gradient.transition).all()
        assert np.abs(gradient.transition).max() <= moves


@pytest.mark.parametrize("size", [1e4, 1e150, 1e300])
def test_huge_finite_scores_give_probabilities(size):
    grammar = GRAMMARS["biluo2"]
    rng = np.random.default_rng(0)
    chains = Chains([rng.uniform(-size, size, (4, 9))], np.zeros(9), np.zeros((9, 9)), np.zeros(9))
    (result,) = posterior(chains, grammar)
    assert ((result.tag_probs >= 0) & (result.tag_probs <= 1)).all()
    np.testing.assert_allclose(result.tag_probs.sum(axis=1), 1.0)
