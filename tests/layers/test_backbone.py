"""Where weights come from, and what is said when they are not there."""

import hashlib
import shutil
from pathlib import Path

import pytest
from thinc.api import get_current_ops
from tiny_encoders import make_encoder

from spacy_ctxtag.layers.backbone import MINILM_PACKAGE, Backbone, make_backbone_v1, make_minilm_v1

pytestmark = pytest.mark.backbone


def sha256(path: str) -> str:
    return hashlib.sha256((Path(path) / "model.safetensors").read_bytes()).hexdigest()


def test_folder_is_its_own_backbone(tiny_backbone):
    assert make_backbone_v1(tiny_backbone).resolve() == Path(tiny_backbone)


def test_folder_with_the_right_hash_is_taken(tiny_backbone):
    assert Backbone(tiny_backbone, sha256=sha256(tiny_backbone)).resolve() == Path(tiny_backbone)


def test_folder_with_another_hash_is_refused(tiny_backbone):
    with pytest.raises(ValueError, match=r"CT003.*Expected SHA-256 0000.*" + sha256(tiny_backbone)):
        Backbone(tiny_backbone, sha256="0" * 64).resolve()


def test_folder_without_the_hashed_file_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "bare")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"CT003.*no model\.safetensors"):
        Backbone(str(folder), sha256="0" * 64).resolve()


def test_folder_without_config_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"CT002.*no config\.json"):
        Backbone(str(tmp_path)).resolve()


@pytest.mark.parametrize("name", ["nobody/no-such-encoder", "/no/such/folder", "no such name!", ""])
def test_backbone_that_is_nowhere_is_refused(name):
    with pytest.raises(ValueError, match="CT002"):
        Backbone(name).resolve()


def test_message_names_the_extra_for_the_packaged_weights(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"CT002.*spacy-ctxtag\[demo\]"):
        Backbone("nobody/no-such-encoder", package=MINILM_PACKAGE).resolve()


def test_packaged_weights_come_before_the_hub():
    path = make_minilm_v1().resolve()
    assert MINILM_PACKAGE in path.parts


def test_encoder_of_another_width_is_refused(tiny_backbone):
    with pytest.raises(ValueError, match=r"CT009.*width 16, but the config says 17"):
        make_encoder(tiny_backbone, width=17)


def test_encoder_of_the_width_given_is_taken(tiny_backbone):
    assert make_encoder(tiny_backbone, width=16).get_dim("nO") == 16


def test_backbone_is_not_looked_for_before_initialization():
    from spacy_ctxtag.architectures.encoder import build_encoder_v1

    assert build_encoder_v1(Backbone("/no/such/folder")).ops is get_current_ops()
