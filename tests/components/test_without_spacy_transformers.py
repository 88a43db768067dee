"""Nothing of ours needs spacy-transformers: it is a dependency for those who listen to its `transformer`."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import importlib.metadata
import sys

# Neither importable nor installed.
everything = importlib.metadata.distributions
importlib.metadata.distributions = lambda **kw: (d for d in everything(**kw) if d.name != "spacy-transformers")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("spacy_transformers", "spacy_alignments"):
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
sys.path[:0] = sys.argv[2:]

import spacy
from pipelines import entities, make_examples
from spacy.util import registry

assert not any(name.startswith("spacy-transformers") for name in registry.architectures.get_all())
nlp = spacy.load(sys.argv[1])
examples = make_examples(nlp)
losses = nlp.update(examples, sgd=nlp.resume_training())
assert losses["ctx_ner"] > 0 and losses["ctx_tagger"] > 0
doc = nlp("Ada wrote to Charles in London .")
assert doc.ents and doc[0].tag_, doc.to_json()
assert not any(name.startswith("spacy_transformers") for name in sys.modules)
print("done")
"""


@pytest.mark.backbone
def test_load_train_and_predict_without_spacy_transformers(trained: dict[str, Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf8")
    command = [sys.executable, "-W", "error::UserWarning:spacy", str(script), str(trained["joint"])]
    done = subprocess.run(
        [*command, str(Path(__file__).parents[1])], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["done"]
