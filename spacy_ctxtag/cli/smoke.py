"""`python -m spacy ctx smoke WHEEL`: does a packaged model work in a clean environment with the network off?

A virtual environment is made, the plugin and the model are installed into it (the network may be used for that), then
`smoke_child` loads the model and tags texts there, in a process in which every socket is refused, every setting that
would hide a download is unset, and the cache of the Hugging Face hub is an empty folder.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional, Sequence

import typer

from ..errors import Errors
from ._app import app
from ._printer import msg

TEXTS = (
    "Ilse Marchetti left Porto on 3 May, but she didn't say why.",
    "The University of Leeds paid $4.5 million to Tallis Software for the Lisbon Book Fair.",
    "Dr. Okafor will present Python 3.12 in Berlin next Tuesday.",
)
TIMEOUT = 1800  # seconds for each step

_HIDING = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONPATH", "PYTHONHOME", "TRANSFORMERS_CACHE", "HF_HUB_CACHE")


@app.command("smoke", no_args_is_help=True)
def smoke_cli(
    wheel: Annotated[Path, typer.Argument(help="The model's wheel, or a folder below which it is", show_default=False)],
    requirement: Annotated[
        Optional[List[str]], typer.Option("--requirement", "-r", help="The plugin's source folder or wheel; repeatable")
    ] = None,
    texts: Annotated[Optional[Path], typer.Option("--texts", help="A file with one text a line")] = None,
    env: Annotated[Optional[Path], typer.Option("--env", help="The environment's folder; kept, used again")] = None,
    find_links: Annotated[Optional[List[str]], typer.Option("--find-links", help="For pip; repeatable")] = None,
    constraint: Annotated[Optional[List[str]], typer.Option("--constraint", help="For pip; repeatable")] = None,
    pip_args: Annotated[str, typer.Option("--pip-args", help='Anything else for pip, e.g. "--no-index"')] = "",
) -> None:
    """
    Install a model package into a clean environment, load it with the network off, tag texts and show the result. The
    exit code is 1 if it cannot be installed or loaded, touches the network, or annotates nothing.
    """
    model = find_model(wheel)
    lines = [line.strip() for line in texts.read_text(encoding="utf8").splitlines()] if texts else list(TEXTS)
    options = [arg for link in find_links or [] for arg in ("--find-links", link)]
    options += [arg for path in constraint or [] for arg in ("--constraint", path)]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ctx-smoke-")))
        folder = env if env is not None else scratch / "env"
        is_new = not (folder / "pyvenv.cfg").exists()
        if is_new and folder.exists() and any(folder.iterdir()):
            msg.fail(Errors.CT503.format(folder=folder), exits=1)
        if is_new:
            _run([sys.executable, "-m", "venv", str(folder)], f"Making an environment in {folder}", scratch)
        python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", *options, *pip_args.split()]
        packages = [*(requirement or []), str(model)]
        _run([*pip, *packages], f"Installing {', '.join(packages)}", scratch)
        if not is_new:  # pip does not replace a package of the same version by itself
            _run([*pip, "--force-reinstall", "--no-deps", *packages], "Installing them again", scratch)
        result = _tag(python, model.name.split("-")[0], [line for line in lines if line], scratch)
    show_result(result)
    if result["error"] or result["network"] or not _finds_anything(result):
        msg.fail("The package does not work as it is", exits=1)
    msg.good("The package works in a clean environment with the network off")


def _finds_anything(result: Dict[str, Any]) -> bool:
    return any(doc["ents"] or doc["tags"] or any(doc["spans"].values()) for doc in result["docs"])


def find_model(path: Path) -> Path:
    """The model's package: the path itself, or the newest wheel below a folder; ends the program if there is none."""
    found = [path] if path.is_file() else sorted(path.rglob("*.whl"), key=lambda p: p.stat().st_mtime)[-1:]
    if not found or not found[0].name.endswith((".whl", ".tar.gz")):
        msg.fail(Errors.CT501.format(path=path), exits=1)
    return found[0]


def show_result(result: Dict[str, Any]) -> None:
    """Print what the model found, for people."""
    for attempt in result["network"]:
        msg.fail(Errors.CT505.format(attempt=attempt))
    if result["error"]:
        msg.fail(Errors.CT504.format(reason=result["error"]))
        return
    pipeline = ", ".join(result["pipeline"])
    msg.good(f"Loaded {result['name']} {result['version']} ({pipeline}) in {result['seconds']:.1f} s")
    for doc in result["docs"]:
        text, at = "", 0
        for ent in doc["ents"]:
            text += f"{doc['text'][at : ent['start']]}[{ent['label']} {doc['text'][ent['start'] : ent['end']]}]"
            at = ent["end"]
        msg.text("\n" + text + doc["text"][at:])
        if doc["ents"]:
            rows = [(ent["text"], ent["label"], _two_decimals(ent["score"])) for ent in doc["ents"]]
            msg.table(rows, header=("entity", "label", "probability"), divider=True, aligns=("l", "l", "r"))
        if doc["tags"]:
            msg.text(" ".join(f"{text}/{tag}" for text, tag in doc["tags"]))
        for key, spans in doc["spans"].items():
            msg.text(f"{key}: " + " ".join(f"[{label} {text}]" for text, label in spans))
    if not _finds_anything(result):
        msg.fail(Errors.CT506.format(n=len(result["docs"])))


def _two_decimals(score: Optional[float]) -> str:
    return "–" if score is None else f"{score:.2f}"


def _tag(python: str, name: str, texts: List[str], scratch: Path) -> Dict[str, Any]:
    """Run `smoke_child` in the environment. RETURNS (Dict[str, Any]): What it wrote."""
    task, output = scratch / "task.json", scratch / "result.json"
    task.write_text(json.dumps({"name": name, "texts": texts, "output": str(output)}), encoding="utf8")
    child = Path(__file__).with_name("smoke_child.py")
    variables = {key: value for key, value in os.environ.items() if key not in _HIDING}
    variables.update(HF_HOME=str(scratch / "hf"), HF_HUB_DISABLE_XET="1")  # xet has sockets that Python does not see
    _run([python, "-I", str(child), str(task)], f"Loading {name} with the network off", scratch, variables)
    result: Dict[str, Any] = json.loads(output.read_text(encoding="utf8"))
    return result


def _run(command: Sequence[str], what: str, scratch: Path, variables: Optional[Dict[str, str]] = None) -> None:
    """Run a step, showing that time passes; its own output is shown only if it fails, which ends the program."""
    log = scratch / "log.txt"
    msg.text(what + " …", icon="info")
    start = time.monotonic()
    with log.open("wb") as handle:
        process = subprocess.Popen(command, stdout=handle, stderr=subprocess.STDOUT, env=variables)
        try:
            shown = 0.0
            while process.poll() is None and time.monotonic() - start < TIMEOUT:
                time.sleep(0.1)
                if time.monotonic() - start > shown + 15:
                    shown = time.monotonic() - start
                    msg.text(f"  {shown:.0f} s")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        print(log.read_text(encoding="utf8", errors="replace")[-10_000:])
        msg.fail(Errors.CT502.format(what=what, code=process.returncode), exits=1)
