"""The report of an evaluation as one HTML file that asks for nothing else: no script, font, or picture from elsewhere.

A Content Security Policy in the page forbids requests, and any script but its own, whatever texts and labels contain;
besides, the templates escape all of it. The report is that of `report.schema.json`.
"""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, List, Mapping

from ...errors import Errors
from .parts import Part, part_of
from .tables import of_domains
from .words import count, sequences_of

TEMPLATES = Path(__file__).parent / "templates"
SCHEMA_VERSION = 1
# What HTML and XML cannot hold: control characters, halves of surrogate pairs, and code points that are no characters.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def write_page(report: Mapping[str, Any], path: Path) -> None:
    """Write the page of a report.

    report (Mapping): The report.
    path (Path): The file.
    RAISES (ValueError): As `render_page`.
    """
    Path(path).write_text(render_page(report), encoding="utf8", newline="\n")


def render_page(report: Mapping[str, Any]) -> str:
    """The page of a report.

    report (Mapping): The report.
    RETURNS (str): HTML.
    RAISES (ValueError): CT725 for a report of another version; CT726 without matplotlib.
    """
    from importlib.util import find_spec

    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    if report.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(Errors.CT725.format(met=report.get("schema_version"), expected=SCHEMA_VERSION))
    if find_spec("matplotlib") is None:
        raise ValueError(Errors.CT726)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = count
    report = printable(report)
    style, script = ((TEMPLATES / name).read_text(encoding="utf8") for name in ("style.css", "script.js"))
    return environment.get_template("page.html").render(
        report=report,
        parts=_parts(report),
        has_sentences=any(sequences_of(each) == "sentences" for each in report["components"]),
        domains=of_domains(report["data"]),
        name=f"{report['model']['name']} {report['model']['version']}".strip(),
        lang=_language(report["model"]["lang"]),
        style=Markup(style),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode("utf8")).digest()).decode("ascii"),
    )


def _parts(report: Mapping[str, Any]) -> List[Part]:
    """RETURNS (List[Part]): The components, each with anchors of its own."""
    parts: List[Part] = []
    for n, component in enumerate(report["components"], start=1):
        slug = re.sub(r"[^a-z0-9]+", "-", component["id"].lower()).strip("-") or "part"
        if any(f"{slug}-".startswith(f"{part.slug}-") or part.slug.startswith(f"{slug}-") for part in parts):
            slug = f"{n}-{slug}"  # so that no anchor of one begins like those of another
        parts.append(part_of(component, slug, report["run"]["n_samples"]))
    return parts


def _language(code: str) -> str:
    """RETURNS (str): A language that texts can be said to be in, or ""."""
    return code if re.fullmatch(r"[a-z]{2,3}", code) and code not in ("xx", "mul") else ""


def printable(value: Any) -> Any:
    """RETURNS (Any): The same, with U+FFFD for what a page cannot hold; offsets stay what they are."""
    if isinstance(value, str):
        return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {printable(key): printable(each) for key, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, (list, tuple)) else value
