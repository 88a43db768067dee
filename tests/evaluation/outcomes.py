"""Probabilities and whether they came true, for hypothesis."""

from hypothesis import strategies as st

PROBS = st.lists(
    st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.2, 0.5, 1.0])), st.booleans()), max_size=60
)


def columns(pairs: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [p for p, _ in pairs], [hit for _, hit in pairs]
