"""The run: documents are predicted a batch at a time, read into records, and forgotten."""

import time
from datetime import datetime, timezone
from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, Optional

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ...data.corpus import make_example
from . import SCHEMA_VERSION
from .about import TAGS, DataReport, describe_versions, find_setters, layer_of
from .known import ENTS, GROUP, Known
from .reading import annotated_keys, is_ours, read_ents, read_frame, read_group, read_tags
from .spans import SpanReport
from .tags import TagReport


class Evaluation:
    """Scores a pipeline on annotated documents.

    nlp (Language): The pipeline.
    known (Known): What is known of its training data.
    data (DataReport): Adds up the documents.
    batch_size (int): Documents to predict at once.
    """

    def __init__(self, nlp: Language, known: Known, data: DataReport, batch_size: int) -> None:
        self.nlp = nlp
        self.known = known
        self.data = data
        self.batch_size = batch_size
        self.seconds = 0.0
        self.words = 0
        self.reports: Dict[str, Any] = {}  # by identity of a layer
        self._setters = find_setters(nlp)

    def add(self, docs: Iterable[Doc], show: Optional[Callable[[int], None]] = None) -> None:
        """Predict and count annotated documents; empty ones are left out.

        docs (Iterable[Doc]): The documents; a batch of them is kept at a time. They have to be made with the vocabulary
            of the pipeline, outside memory zones.
        show (Optional[Callable[[int], None]]): Called after each batch with the number of documents so far.
        """
        stream = (doc for doc in docs if len(doc))
        while batch := list(islice(stream, self.batch_size)):
            with self.nlp.memory_zone():
                self._add_batch(batch)
            if show is not None:
                show(self.data.documents)

    def _add_batch(self, batch: List[Doc]) -> None:
        made = [make_example(self.nlp, doc).predicted for doc in batch]
        start = time.perf_counter()
        predicted = list(self.nlp.pipe(made, batch_size=self.batch_size))
        self.seconds += time.perf_counter() - start
        for doc, reference in zip(predicted, batch, strict=True):
            self.words += len(doc)
            self._add_example(Example(doc, reference))

    def _add_example(self, eg: Example) -> None:
        frame = read_frame(eg.reference, self.data.documents + 1)
        self.data.add(frame)
        records: Dict[str, Any] = {ENTS: read_ents(eg, frame)}
        for key in annotated_keys(eg.reference):
            if f"{GROUP}{key}" in self._setters or not self._holds_scores(key, eg.reference.spans[key]):
                records[f"{GROUP}{key}"] = read_group(eg, frame, key)
        records.update((attr, read_tags(eg, frame, attr)) for attr in TAGS)
        for layer, record in records.items():
            if record is not None:
                if layer not in self.reports:
                    self.reports[layer] = self._make_report(layer)
                self.reports[layer].add(record)

    def _make_report(self, layer: str) -> Any:
        if layer_of(layer).kind == "tags":
            return TagReport(self.known)
        return SpanReport(layer, self.known, can_overlap=layer != ENTS)

    def _holds_scores(self, key: str, group: Any) -> bool:
        """Whether a group of doc.spans is where a component of ours keeps scores, and no layer of its own."""
        return is_ours(group) and any(key == name or key.startswith(f"{name}_") for name in self.nlp.pipe_names)

    def components(self, n_samples: int, seed: int) -> List[Dict[str, Any]]:
        """RETURNS (List[Dict[str, Any]]): `components` of the schema: layers that are annotated and that the pipeline
        sets."""
        order = [ENTS, *sorted(layer for layer in self.reports if layer.startswith(GROUP)), *TAGS]
        found = []
        for identity in order:
            report = self.reports.get(identity)
            setters = self._setters.get(identity, [])
            if report is not None and (setters or report.n_predicted):
                layer = layer_of(identity)
                about = {"kind": layer.kind, "id": identity, "attribute": layer.attribute, "set_by": setters}
                found.append({**about, **report.result(n_samples, seed)})
        return found

    def result(self, model: Dict[str, Any], device: str, n_samples: int, seed: int) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): The report, as the schema has it.

        model (Dict[str, Any]): Its `model`. device (str): What it was predicted on.
        n_samples (int): Draws of the bootstrap; 0: no intervals. seed (int): Of the draws.
        """
        components = self.components(n_samples, seed)
        return {
            "schema_version": SCHEMA_VERSION,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "model": model,
            "data": self.data.result(),
            "train": self.known.about,
            "versions": describe_versions(),
            "run": {
                "seconds": self.seconds,
                "words_per_second": self.words / self.seconds if self.seconds else None,
                "device": device,
                "batch_size": self.batch_size,
                "n_samples": n_samples,
                "seed": seed,
            },
            "components": components,
        }
