"""Run by `smoke` in the clean environment: loads a model with every socket refused, tags texts, writes the result.

It is run as a file and imports nothing of this package, because the environment may hold an older release of it. The
network is refused by an audit hook (PEP 578), which cannot be removed and which every use of Python's sockets meets;
what a library catches is recorded all the same. Usage: python -I smoke_child.py TASK.json
"""

import json
import sys
import time
import traceback
from typing import Any, Dict, List

REFUSED = frozenset(
    f"socket.{name}" for name in ("connect", "getaddrinfo", "gethostbyname", "gethostbyaddr", "sendto", "sendmsg")
)


def refuse_network(attempts: List[str]) -> None:
    """Refuse every connection and look-up from now on.

    attempts (List[str]): Gets a description of each attempt.
    """

    def hook(event: str, args: Any) -> None:
        if event in REFUSED:
            target = next((arg for arg in args[1:] if isinstance(arg, (str, tuple))), args[0] if args else "")
            callers = [frame for frame in traceback.extract_stack()[:-1] if "socket.py" not in frame.filename]
            caller = f"{callers[-1].filename}:{callers[-1].lineno}" if callers else "?"
            attempts.append(f"{event} {target!r}, called from {caller}")
            raise OSError("the network is off in this test")

    sys.addaudithook(hook)


def tag(nlp: Any, text: str) -> Dict[str, Any]:
    """Annotate a text.

    nlp (Language): The pipeline.
    text (str): The text.
    RETURNS (Dict[str, Any]): "text", "ents" with their probability or None, "tags" as (token, tag), "spans" of each
        ctx_chunker as (text, label), by key.
    """
    doc = nlp(text)
    scores = {}
    for name, group in doc.spans.items():
        for span, score in zip(group, group.attrs.get("scores", ()) if name in nlp.pipe_names else (), strict=False):
            scores[span.start, span.end, span.label_] = float(score)
    ents = [
        {
            "text": ent.text,
            "label": ent.label_,
            "start": ent.start_char,
            "end": ent.end_char,
            "score": scores.get((ent.start, ent.end, ent.label_)),
        }
        for ent in doc.ents
    ]
    tags = [(token.text, token.tag_ or token.pos_) for token in doc] if any(t.tag or t.pos for t in doc) else []
    keys = [pipe.spans_key for _, pipe in nlp.pipeline if hasattr(pipe, "spans_key")]
    spans = {key: [(span.text, span.label_) for span in doc.spans[key]] for key in keys}
    return {"text": text, "ents": ents, "tags": tags, "spans": spans}


def main(task_path: str) -> None:
    """Do the task and write the result, also if it fails."""
    with open(task_path, encoding="utf8") as handle:
        task = json.load(handle)
    attempts: List[str] = []
    refuse_network(attempts)
    result: Dict[str, Any] = {"error": "", "network": attempts, "docs": [], "name": task["name"]}
    try:
        start = time.perf_counter()
        import spacy

        nlp = spacy.load(task["name"])
        result.update(seconds=time.perf_counter() - start, version=nlp.meta["version"], pipeline=nlp.pipe_names)
        result["docs"] = [tag(nlp, text) for text in task["texts"]]
    except Exception:
        result["error"] = traceback.format_exc()
    with open(task["output"], "w", encoding="utf8") as handle:
        json.dump(result, handle)


if __name__ == "__main__":
    main(sys.argv[1])
