"""Write the requirements of the job with the newest transformers, from pyproject.toml and constraints.txt.

Usage: newest_requirements.py FOLDER writes FOLDER/requirements.txt and FOLDER/constraints.txt.
"""

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
ABSENT = {"spacy-transformers", "spacy-alignments"}
UNPINNED = {"transformers", "tokenizers", "huggingface-hub", "hf-xet", "safetensors"}
NO_TEST_TOOLS = {"build", "mkdocs-material", "mypy", "pre-commit", "ruff"}


def name_of(requirement: str) -> str:
    """The normalised name of the package that a requirement asks for."""
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def main(folder: Path) -> None:
    """Write both files into a folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [item for item in project["dependencies"] if name_of(item) not in ABSENT]
    wanted += extras["demo"] + [item for item in extras["dev"] if name_of(item) not in NO_TEST_TOOLS]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines()
    kept = [pin for pin in pins if name_of(pin) not in ABSENT | UNPINNED]
    (folder / "requirements.txt").write_text("\n".join([*wanted, "transformers>=5", ""]), encoding="utf8")
    (folder / "constraints.txt").write_text("\n".join([*kept, ""]), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
