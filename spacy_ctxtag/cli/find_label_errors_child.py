"""Run by `find-label-errors`, a process for each fold: trains a pipeline, doubts the fold, and writes the findings.

Usage: python -m spacy_ctxtag.cli.find_label_errors_child TASK.json
"""

import sys
from pathlib import Path
from typing import Any, Dict

from .ablate_child import remove_models, run_task, train_best


def main(task: Dict[str, Any]) -> None:
    """Train and doubt.

    task (Dict[str, Any]): As for `train_best`; "data", the `.spacy` file of the fold.
    """
    from spacy.tokens import DocBin

    from ..learning.label_errors import find_label_errors
    from ..training.folders import write_json

    nlp, seconds = train_best(task)
    docs = list(DocBin().from_disk(task["data"]).get_docs(nlp.vocab))
    result = {"key": task["key"], "seconds": seconds, "findings": find_label_errors(nlp, docs)}
    write_json(Path(task["folder"]) / "result.json", result)
    remove_models(task)


if __name__ == "__main__":
    run_task(main, Path(sys.argv[1]))
