"""Check the results of the benchmarks, and every figure that the documentation quotes from them.

A result is `benchmarks/results/NAME.json` with the fields in `FIELDS`; `claims` is a list of objects `{"claim": NAME,
"value": …, "at_least" or "at_most": …, "holds": true or false}`. Markdown quotes a claim as

    F is <!-- claim: accuracy/wnut17_f -->62.1 on WNUT-17

which a reader sees as "F is 62.1 on WNUT-17". The figure must be the value in `accuracy.json`, rounded to as many
decimals as are written, and the claim must hold.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {
    "date": str,
    "machine": (str, dict),
    "load_average": list,
    "versions": dict,
    "raw": (list, dict),
    "claims": list,
}
CLAIM_FIELDS = {"claim", "value", "holds"}
CLAIM_NAME = re.compile(r"[\w.-]+")
MARK = re.compile(r"<!--\s*claim:(?P<name>.*?)-->")
FIGURE = re.compile(r"\s*\**(?P<figure>[-+−]?\d+(,\d{3})*(\.\d+)?)(?![\d.,]*\d)")


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and not a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def holds(claim: dict[str, Any]) -> bool:
    """Whether a claim's value is within its bound."""
    above = "at_least" not in claim or claim["value"] >= claim["at_least"]
    below = "at_most" not in claim or claim["value"] <= claim["at_most"]
    return bool(above and below)


def claim_problems(claim: object) -> Iterator[str]:
    """What is wrong with one claim of a result."""
    if not isinstance(claim, dict) or not claim.keys() >= CLAIM_FIELDS:
        yield f"a claim needs the fields {sorted(CLAIM_FIELDS)}: {claim}"
        return
    name = claim["claim"]
    bounds = [bound for bound in ("at_least", "at_most") if bound in claim]
    if not isinstance(name, str) or not CLAIM_NAME.fullmatch(name):
        yield f"the name of a claim is letters, digits, '_', '.' and '-': {name!r}"
    if not bounds:
        yield f"{name}: a claim needs 'at_least' or 'at_most'"
    if not all(is_number(claim[field]) for field in ["value", *bounds]):
        yield f"{name}: value and bounds must be finite numbers"
    elif claim["holds"] is not holds(claim):
        yield f"{name}: the file says holds = {json.dumps(claim['holds'])}, its figures say {json.dumps(holds(claim))}"


def result_problems(result: object) -> Iterator[str]:
    """What is wrong with one result."""
    if not isinstance(result, dict):
        yield "a result is a JSON object"
        return
    for field, kinds in FIELDS.items():
        if field not in result:
            yield f"the field '{field}' is missing"
        elif not isinstance(result[field], kinds) or not result[field]:
            yield f"the field '{field}' is empty, or of another type than expected"
    if isinstance(result.get("date"), str):
        try:
            datetime.fromisoformat(result["date"])
        except ValueError:
            yield f"'date' is not an ISO date: {result['date']!r}"
    if result.get("quick"):
        yield "this is the result of a quick run, and those are not kept"
    claims = result["claims"] if isinstance(result.get("claims"), list) else []
    for claim in claims:
        yield from claim_problems(claim)
    names = [claim["claim"] for claim in claims if isinstance(claim, dict) and "claim" in claim]
    yield from (f"{name}: claimed more than once" for name in sorted({str(n) for n in names if names.count(n) > 1}))


def read_results(folder: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Read and check all results of a folder.

    folder (Path): Where the JSON files lie.
    RETURNS (tuple[dict[str, dict], list[str]]): The well-formed claims by `FILE/CLAIM`, and the problems.
    """
    claims: dict[str, dict[str, Any]] = {}
    problems = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf8"))
        except ValueError as error:
            problems.append(f"{path}: not JSON: {error}")
            continue
        problems += [f"{path}: {problem}" for problem in result_problems(result)]
        for claim in result.get("claims", []) if isinstance(result, dict) else []:
            if not list(claim_problems(claim)):
                claims[f"{path.stem}/{claim['claim']}"] = claim
    return claims, problems


def rounded(value: float, decimals: int) -> Decimal:
    """A value rounded to a number of decimals, halves to even, from its shortest decimal form."""
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)


def quote_problems(text: str, claims: dict[str, dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """What is wrong with the figures that a Markdown text quotes.

    text (str): The text.
    claims (dict[str, dict]): The claims by `FILE/CLAIM`.
    YIELDS (tuple[int, str]): The line, and the problem.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for mark in MARK.finditer(line):
            name = mark["name"].strip()
            quoted = FIGURE.match(line, mark.end())
            if name not in claims:
                yield number, f"no result holds the claim '{name}'"
            elif quoted is None:
                yield number, f"a figure is expected right behind the mark of '{name}'"
            else:
                figure = quoted["figure"].replace(",", "").replace("−", "-")
                value = rounded(claims[name]["value"], len(figure.partition(".")[2]))
                if Decimal(figure) != value:
                    yield number, f"'{name}' is quoted as {figure}, but its result says {value}"
                if not claims[name]["holds"]:
                    yield number, f"'{name}' is quoted, but does not hold"


def main(root: Path = ROOT) -> int:
    """Check results and documentation below a folder; print what was found.

    root (Path): The folder of the project.
    RETURNS (int): The exit code: 0 if all is well.
    """
    claims, problems = read_results(root / "benchmarks" / "results")
    pages = [page for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))] if page.exists()]
    quotes = 0
    for page in pages:
        text = page.read_text(encoding="utf8")
        quotes += len(MARK.findall(text))
        problems += [f"{page}:{line}: {problem}" for line, problem in quote_problems(text, claims)]
    for problem in problems:
        print(problem, file=sys.stderr)
    failed = sorted(name for name, claim in claims.items() if not claim["holds"])
    print(f"{len(claims)} claims, {quotes} quoted, {len(failed)} that do not hold, {len(problems)} problems.")
    print("".join(f"  does not hold: {name}\n" for name in failed), end="")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
