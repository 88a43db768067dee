"""A model card: what a pipeline was made of, how good it is and where it is weak, in the form of the Hugging Face hub.

    report.json, manifest.json, notes.yml ──▶ README.md, and what meta.json has fields for

Nothing is measured here. `spacy package` takes both files into the wheel, and the README for the package's own.
"""

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from spacy.glossary import GLOSSARY
from spacy.util import get_lang_class, load_config

from ..data.config_files import flatten
from ..errors import Errors
from ..evaluation.page.words import sequences_of
from ..training.manifest import VERSIONS
from . import markdown
from .card_data import describe_data, encoders_in, pretrained_in, shown, sources_of, with_others
from .card_input import MARKER, Json, Notes, check
from .card_limits import NAMES, between, find_limits, has_intervals, percent, title_of

META_KEY = "ctx_card"  # what a card has put into the fields of meta that people fill, too
README, META, CONFIG, TEMPLATE = "README.md", "meta.json", "config.cfg", "card.md.jinja"
SCORES = ("precision", "recall", "f1")
SETTINGS = ("dropout", "accumulate_gradient", "patience", "max_epochs", "max_steps", "optimizer", "batcher")
HUB_LICENCES = [
    "agpl-3.0",
    "apache-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "gpl-3.0",
    "lgpl-3.0",
    "mit",
    "mpl-2.0",
    "unlicense",
]


class Speed(NamedTuple):
    """What `ctx card --measure` has measured."""

    words_per_second: float
    machine: str
    parameters: int


class Card(NamedTuple):
    """The README, the meta of the pipeline as it is to be, and how many limits the README names."""

    readme: str
    meta: Json
    n_limits: int

    def files(self) -> Dict[str, str]:
        """RETURNS (Dict[str, str]): By name, what stands in them."""
        return {README: self.readme, META: json.dumps(self.meta, indent=2, ensure_ascii=False) + "\n"}


def make_card(
    model: Path,
    report: Json,
    *,
    manifest: Optional[Json] = None,
    notes: Optional[Notes] = None,
    licence: str = "",
    name: str = "",
    version: str = "",
    speed: Optional[Speed] = None,
    kept: str = "",
) -> Card:
    """Write about a pipeline.

    model (Path): Its folder; nothing is written there. report (Dict): Of `ctx evaluate`. manifest (Optional[Dict]): Of
    `ctx train`. notes (Optional[Notes]): What a person adds. licence (str): Of the pipeline; "": what its meta says.
    name, version (str): As it will be packaged; "": what its meta says. speed (Optional[Speed]): Measured apart from
    the report. kept (str): Free Markdown at the end.
    RETURNS (Card): The same for the same input.
    RAISES (ValueError): CT781 for a report or a manifest of another pipeline, CT784 where there is none in the folder.
    """
    try:
        meta: Json = json.loads((model / META).read_text(encoding="utf8"))
        config: Any = load_config(model / CONFIG, interpolate=True)
    except (OSError, ValueError) as error:
        raise ValueError(Errors.CT784.format(path=model, reason=error)) from error
    check(meta, config, report, manifest)
    notes, run = notes or Notes(), manifest or {}
    encoders, pretrained = encoders_in(config["components"]), pretrained_in(config, run)
    data, in_train = describe_data(report, run, meta, notes)
    language = get_lang_class(meta["lang"]).__name__
    package = markdown.one_line(_package_name(meta["lang"], name or meta["name"]))
    before = meta.get(META_KEY) or {"description": "", "sources": []}
    own = "" if meta.get("description") == before["description"] else meta.get("description")
    others = [each for each in meta.get("sources") or [] if each not in before["sources"]]
    sources = sources_of(pretrained, notes)
    written = {"description": notes.description or _describe(report, language), "sources": sources}
    meta = {
        **meta,
        "description": notes.description or own or written["description"],
        "license": licence or meta.get("license") or "",
        "sources": with_others(sources, others),
        "performance": _performance(report, speed),
        META_KEY: written,
    }
    limits = find_limits(report, meta, encoders)
    on_hub = list(dict.fromkeys(each["name"] for each in pretrained if "url" in each))
    files = [each for each in model.rglob("*") if each.is_file() and each.name not in (README, META)]
    readme = _render(
        {
            "front": _front_matter(report, package, meta["license"], on_hub, markdown.one_line(data[-1]["name"])),
            "name": package,
            "version": markdown.one_line(version or meta["version"]),
            "language": language,
            "meta": {"author": "", "email": "", "url": "", "ctx_calibration": {}, **meta},
            "report": report,
            "notes": notes,
            "use": notes.intended_use or [_intend(report, language)],
            "bytes": sum(each.stat().st_size for each in files),
            "data": data,
            "limits": limits,
            "speed": speed,
            "training": list(_training(run, report)),
            "settings": list(_settings(config, encoders)),
            "sources": [{**dict.fromkeys(("url", "author", "license")), **each} for each in meta["sources"]],
            "scores": {component["id"]: _scores(component, notes, in_train) for component in report["components"]},
            "counts_train": bool(in_train),
            "has_intervals": has_intervals(report),
            "sequences": {component["id"]: sequences_of(component) for component in report["components"]},
            "marker": MARKER,
            "kept": kept,
        }
    )
    return Card(readme, meta, len(limits))


def _render(context: Json) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters.update(text=markdown.text, code=markdown.code, link=markdown.link, literal=repr)
    environment.filters.update(percent=percent, between=between, number=_number, shown=shown, title=title_of)
    template = (Path(__file__).parent / TEMPLATE).read_text(encoding="utf8")
    written, marker, own = environment.from_string(template).render(context).partition(MARKER)
    return re.sub(r"\n{3,}", "\n\n", written) + marker + own


def _package_name(lang: str, name: str) -> str:
    return name if name.startswith(f"{lang}_") else f"{lang}_{name}"  # as `spacy package` does


def _describe(report: Json, language: str) -> str:
    ids = [component["id"] for component in report["components"]]
    found = [NAMES[each].lower() if each in NAMES else f"spans of {each[6:]}" for each in ids]
    listed = " and ".join(part for part in (", ".join(found[:-1]), *found[-1:]) if part)
    return f"{listed[:1].upper()}{listed[1:] or 'Pipeline'} for {language}, by spacy-ctxtag"


def _intend(report: Json, language: str) -> str:
    n = len(report["data"]["domains"])
    like = "the test data below" if n < 2 else f"the test data below, which are from {n} domains"
    return f"To find what the tables below list, in {language} texts like {like}."


# For other programs


def _front_matter(report: Json, name: str, licence: str, base: List[str], data: str) -> str:
    """RETURNS (str): YAML as the hub reads it."""
    from huggingface_hub import EvalResult, ModelCardData

    lang, slug = report["model"]["lang"], "-".join(licence.lower().split())
    licences: Json = {"license": slug or None}
    if slug and slug not in HUB_LICENCES:
        licences = {"license": "other", "license_name": slug}
    results = [
        EvalResult(
            task_type="token-classification",
            dataset_type="-".join(re.findall(r"\w+", data.lower())) or "test",
            dataset_name=data,
            dataset_split="test",
            metric_type=metric,
            metric_name=f"{component['id']} {metric}",
            metric_value=round(value, 4),
        )
        for component in report["components"]
        for metric, value in _metrics(component)
    ]
    about = ModelCardData(
        language="multilingual" if lang == "xx" else lang,
        library_name="spacy",
        tags=["spacy", "token-classification"],
        pipeline_tag="token-classification",
        base_model=(base[0] if len(base) == 1 else base) or None,
        model_name=name if results else None,
        eval_results=results or None,
        **licences,
    )
    return about.to_yaml()


def _metrics(component: Json) -> List[Tuple[str, float]]:
    micro = component["averages"]["micro"]
    return [("accuracy", micro["f1"])] if component["kind"] == "tags" else [(key, micro[key]) for key in SCORES]


def _performance(report: Json, speed: Optional[Speed]) -> Json:
    """RETURNS (Dict): The scores under the names that spaCy gives them."""
    found: Json = {}
    for component in report["components"]:
        micro, name = component["averages"]["micro"], component["id"].replace(":", "_")
        if component["kind"] == "tags":
            found[f"{name}_acc"] = micro["f1"]
            continue
        found.update({f"{name}_{key[0]}": micro[key] for key in SCORES})
        found[f"{name}_per_type"] = {
            each["name"]: {key[0]: each[key] for key in SCORES} for each in component["labels"]
        }
    words = report["run"]["words_per_second"] if speed is None else speed.words_per_second
    return found if words is None else {**found, "speed": words}


# For people


def _scores(component: Json, notes: Notes, in_train: Mapping[str, int]) -> List[Json]:
    """RETURNS (List[Dict]): Rows of a table: all labels together, their mean, and each of them."""
    both = {"all": component["averages"]["micro"], "mean of the labels": component["averages"]["macro_gold"]}
    n_gold = sum(label["gold"] for label in component["labels"])
    all_of_it = {"gold": n_gold, "in_train": sum(in_train.values()), "meaning": "", "is_label": False}
    rows: List[Json] = [{"name": name, **all_of_it, **average} for name, average in both.items()]
    for label in component["labels"]:
        standard = (
            GLOSSARY.get(label["name"], "") if component["id"] == "pos" else ""
        )  # other labels are a corpus's own
        meaning = notes.labels.get(label["name"], standard)
        rows.append({**label, "in_train": in_train.get(label["name"], 0), "meaning": meaning, "is_label": True})
    return rows


def _training(run: Json, report: Json) -> Iterator[Tuple[str, str]]:
    """YIELDS (Tuple): What, and a text of Markdown about it."""
    code = markdown.code
    if run:
        yield "Begun, ended", " to ".join(markdown.text(run[key] or "?") for key in ("start", "end"))
        yield "Seed", f"{run['seed']}{', deterministic' if run.get('deterministic') else ''}"
        best = run.get("best")
        if best:
            yield "Steps", f"{run['steps']:,}, the best at {best['step']:,} with {percent(best['score'])} on dev"
        machine = run["machine"]
        gpus = "".join(f", {code(each)}" for each in machine["gpus"])
        yield "Machine", f"{code(machine['cpu'])}, cores: {machine['cores']}, threads: {machine['threads']}{gpus}"
        if run.get("git"):
            yield "Commit", f"{code(run['git']['commit'])}{', with changes' if run['git']['dirty'] else ''}"
    packages = {"python": run["machine"]["python"], **run["packages"]} if run else report["versions"]
    versions = [f"{name} {packages[name]}" for name in ("python", *VERSIONS) if name in packages]
    yield "Versions" if run else "Versions in the evaluation", ", ".join(map(markdown.text, versions))


def _settings(config: Mapping[str, Any], encoders: List[Json]) -> Iterator[str]:
    """YIELDS (str): The settings that matter most."""
    training = {key: value for key, value in config.get("training", {}).items() if key in SETTINGS}
    for where, values in [*(("encoder", encoder) for encoder in encoders), ("training", training)]:
        for key, value in flatten(values):
            yield f"{where}.{key} = {shown(value) if isinstance(value, str) else json.dumps(value, default=str)}"


def _number(value: Optional[int]) -> str:
    return "–" if value is None else f"{value:,}"
