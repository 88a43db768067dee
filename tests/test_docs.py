"""The documentation does what it says: its code runs, its configs build, the commands that it names exist.

- The ```python blocks of a page are one program, run from top to bottom in an empty folder. One that begins with the
  comment of a file name is not run, but written to that file, for those below it.
- A ```ini block is a config, or a part of one, which is then laid over the defaults of the components that it names.
  The pipeline is built from it; nothing is downloaded for that.
- A ```bash block is a list of commands. They are not run; that they exist, with their options, is checked.
"""

import re
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import spacy.cli
import srsly
from spacy.cli._util import app
from spacy.schemas import ConfigSchemaTraining
from spacy.util import load_model_from_config, registry
from thinc.api import Config
from typer.main import get_command

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)\s]*)?\)")
LANGUAGES = {"python", "ini", "bash", "text", "json", "toml", "yaml"}
HARMLESS = {"cd", "git", "source", "export"}


class Block(NamedTuple):
    """A fenced block: its page, the line of its first character, its language, its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf8")
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start(3)) + 1
        body = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(page, line, match[2], body))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def in_language(language: str) -> list[Any]:
    """Parameters for a test of every block in a language."""
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.language == language]


def with_parents(text: str) -> str:
    """A part of a config, with an empty section before each whose parents it leaves out."""
    known: set[str] = set()

    def open_parents(match: re.Match[str]) -> str:
        parts = match[1].split(".")
        names = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
        opened = [f"[{name}]" for name in names if name not in known or name == match[1]]
        known.update(names)
        return "\n".join(opened)

    return re.sub(r"^\[(.+)\]$", open_parents, text, flags=re.MULTILINE)


def full_config(text: str) -> Config:
    """A complete config from a config or from a part of one.

    text (str): The text of a block.
    RETURNS (Config): The block itself if it describes a pipeline, else laid over the defaults of what it names.
    """
    config = Config().from_str(with_parents(text), interpolate=False)
    if "nlp" in config:
        return config
    nlp = spacy.blank("en")
    for name, component in config.get("components", {}).items():
        nlp.add_pipe(component.get("factory", name), name=name)
    return Config(nlp.config.copy()).merge(config)


def commands_of(text: str) -> list[list[str]]:
    """The commands of a bash block, split into words; comments are left out."""
    lines = text.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines]
    return [[word for word in words if not re.fullmatch(r"[A-Z_]+=\S*", word)] for words in commands if words]


def spacy_problem(words: list[str]) -> str:
    """What is wrong with the words behind `python -m spacy`; "" if nothing is."""
    registry.cli.get_all()
    command: Any = get_command(app)
    words = list(words)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"no such command: {' '.join(words[:1])}"
        command = command.commands[words.pop(0)]
    options = {opt for param in command.params for opt in [*param.opts, *param.secondary_opts] if opt.startswith("-")}
    takes_overrides = bool(command.context_settings.get("ignore_unknown_options"))
    for word in words:
        option = word.split("=")[0]
        if re.match(r"--?[a-zA-Z]", word) and option not in options and not (takes_overrides and "." in option):
            return f"{command.name} has no option {option}"
    return project_problem(words) if command.name == "run" else ""


def project_problem(words: list[str]) -> str:
    """What is wrong with the words behind `project run`; "" if nothing is."""
    project = srsly.read_yaml(ROOT / "project.yml")
    names = [command["name"] for command in project["commands"]] + list(project["workflows"])
    if words[0] not in names:
        return f"project.yml has no command or workflow {words[0]}"
    if len(words) > 1 and words[1].startswith("--"):
        return "the folder of the project has to stand before the options: project run NAME . --vars.…"
    unknown = [word for word in words if word.startswith("--vars.") and word.split("=")[0][7:] not in project["vars"]]
    return f"project.yml has no variables {unknown}" if unknown else ""


def pip_problem(words: list[str]) -> str:
    """What is wrong with the words behind `pip`; "" if nothing is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = [extra for word in words for extra in re.findall(r"^(?:spacy-ctxtag|\.)\[(.+)\]", word)]
    unknown = {name for extra in extras for name in extra.split(",")} - project["optional-dependencies"].keys()
    return f"pyproject.toml has no extras {unknown}" if unknown else ""


def command_problem(words: list[str]) -> str:
    """What is wrong with a command; "" if nothing is."""
    missing = [
        word for word in words if re.fullmatch(r"configs/\w+\.cfg|assets/\w+", word) and not (ROOT / word).exists()
    ]
    if missing:
        return f"no such file: {missing}"
    if words[:3] == ["python", "-m", "spacy"]:
        return spacy_problem(words[3:])
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf8"), flags=re.MULTILINE)
        unknown = [word for word in words[1:] if "=" not in word and word not in targets]
        return f"the Makefile has no target {unknown}" if unknown else ""
    if words[0] == "pip":
        return pip_problem(words[1:])
    return "" if words[0] in HARMLESS or words[:3] == ["python", "-m", "venv"] else f"unknown command {words[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_docs_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page):
        script = re.match(r"# (\w+\.py)\n", block.text)
        if block.language == "python" and script:
            Path(script[1]).write_text(block.text, encoding="utf8")
        elif block.language == "python":
            # The empty lines make the lines of a traceback those of the page.
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), namespace)


@pytest.mark.parametrize("block", in_language("ini"))
def test_docs_config_builds(block: Block) -> None:
    config = full_config(block.text)
    nlp = load_model_from_config(config, auto_fill=True, validate=True)
    assert set(config.get("components", {})) <= set(nlp.component_names)
    registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)


@pytest.mark.parametrize("block", in_language("bash"))
def test_docs_commands_exist(block: Block) -> None:
    assert [problem for words in commands_of(block.text) if (problem := command_problem(words))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_docs_every_block_says_what_it_is(page: Path) -> None:
    assert {block.language for block in blocks_of(page)} <= LANGUAGES
    assert page.read_text(encoding="utf8").count("```") == 2 * len(blocks_of(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_docs_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf8")))
    links = LINK.findall(prose)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "command",
    [
        "make dance",
        "python -m spacy dance",
        "python -m spacy ctx dance",
        "python -m spacy ctx convert in.conll out.spacy --dance",
        "python -m spacy train configs/dance.cfg",
        "python -m spacy project run dance .",
        "python -m spacy project run train --vars.config configs/ner.cfg",
        "python -m spacy project run train . --vars.dance 1",
        "pip install 'spacy-ctxtag[dance]'",
        "dance",
    ],
)
def test_docs_planted_command_is_caught(command: str) -> None:
    assert [command_problem(words) for words in commands_of(command)] != [""]


def test_docs_every_page_is_in_the_navigation() -> None:
    navigation = srsly.read_yaml(ROOT / "mkdocs.yml")["nav"]
    listed = [path for entry in navigation for path in entry.values()]
    assert sorted(listed) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES[1:])
