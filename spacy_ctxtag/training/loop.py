"""The loop of `ctx train`: step by step that of `spacy train`, of spaCy's own parts, but it can be left and resumed.

For the same config and seed it ends with the same weights as `spacy.training.loop.train`, on a CPU bit for bit. It
differs in what is on disk: models and checkpoint are whole at any moment, there is a `training.jsonl`, and after an
error `model-last` stays what the last evaluation has left.
"""

import contextlib
import itertools
import sys
from pathlib import Path
from shutil import copytree
from timeit import default_timer as timer
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example, loop
from spacy.util import registry, resolve_dot_names
from thinc.api import fix_random_seed, set_gpu_allocator
from wasabi.printer import Printer

from ..data.config_settings import reads_the_same
from ..errors import Errors
from ..exceptions import NotFinite, Stopped, TrainingError
from ..warnings import Warnings
from .batches import Batches
from .checkpoint import Checkpoint, write_checkpoint
from .folders import replace_folder
from .jsonl_logger import LogStep
from .optimizer_state import PREFIX, put_back_optimizer, read_optimizer
from .places import Places
from .random_state import decode, encode, put_back, read_all, seed_device
from .record import FILE, append_record, keep_records, record_of
from .stop import Stop
from .watch import Watch, explain
from .weights import put_back_weights, read_weights

spacy_loop: Any = loop  # not all of it is typed
msg = Printer(no_print=True)


class Run:
    """The training of a pipeline.

    nlp (Language): Initialized, with the full config.
    use_gpu (int): The GPU, or -1; it must have been required before.
    stdout (IO): For the logger, and what is told besides. stderr (IO): For the logger.
    """

    def __init__(
        self, nlp: Language, *, use_gpu: int = -1, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr
    ) -> None:
        config = nlp.config.interpolate()
        seed = config["training"]["seed"]
        if seed is not None:
            fix_random_seed(seed)
        if use_gpu >= 0 and config["training"]["gpu_allocator"]:
            set_gpu_allocator(config["training"]["gpu_allocator"])
        settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
        train_corpus, dev_corpus = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
        self.nlp, self.settings, self.seed = nlp, settings, seed or 0
        self.stdout, self.stderr = stdout, stderr
        self.frozen: List[str] = settings["frozen_components"]
        self.optimizer = settings["optimizer"]
        self.places = Places(nlp, self.frozen)
        self.watch = Watch(self.places, self.optimizer)
        self.before_to_disk = spacy_loop.create_before_to_disk_callback(settings["before_to_disk"])
        self.batches = Batches(
            spacy_loop.create_train_batches(nlp, train_corpus, settings["batcher"], settings["max_epochs"])
        )
        drop = settings["dropout"]
        self.dropouts = itertools.repeat(drop) if isinstance(drop, float) else drop
        self.dev_corpus = dev_corpus
        # The reader of dev, too, may have a place, as that of an augmenter in its random numbers.
        self.dev_has_place = not reads_the_same(config, settings["dev_corpus"])
        self._score_by({key: weight for key, weight in settings["score_weights"].items() if weight is not None})
        self.steps = self.epoch = self.words = 0
        self.losses: Dict[str, float] = {}
        self.results: List[Tuple[float, int]] = []  # score and step of each evaluation
        self._n_strings = len(nlp.vocab.strings)
        self.start = timer()

    def _score_by(self, weights: Dict[str, float]) -> None:
        self.evaluate = spacy_loop.create_evaluation_callback(self.nlp, self.dev_corpus, weights)
        self.weights = weights

    # Training

    @contextlib.contextmanager
    def logging(self) -> Iterator[LogStep]:
        """The logger of the config; it ends with the context, when all else has been written.

        YIELDS (LogStep): Takes what there is to log after a step.
        """
        self._tell_start()
        with self.nlp.select_pipes(disable=self.frozen):
            log_step, finalize_logger = self.settings["logger"](self.nlp, self.stdout, self.stderr)
        try:
            yield log_step
        finally:
            finalize_logger()

    def train(
        self,
        output: Path,
        stop: Stop,
        log_step: LogStep,
        *,
        checkpoint: Optional[Checkpoint] = None,
        checkpoint_every: int = 0,
    ) -> None:
        """Train to the end, and write `model-best`, `model-last`, `training.jsonl` and the checkpoint.

        output (Path): The folder for them.
        stop (Stop): Tells it to stop.
        log_step (LogStep): See `logging`.
        checkpoint (Optional[Checkpoint]): Go on from there.
        checkpoint_every (int): Write one every so many steps; 0: with every evaluation.
        RAISES (Stopped): When it was told to stop; there is a checkpoint then.
        RAISES (NotFinite): CT600. (TrainingError): CT603, CT604, CT605.
        """
        if checkpoint is not None:
            self.put_back(checkpoint)
            self._tell(msg.info(f"Resumed after {self.steps} steps"))
        keep_records(output / FILE, self.steps)
        while not self.is_over():
            batch = self._take_step()
            if batch is None:
                break
            info = self._end_step(batch, output)
            log_step(info)
            if info is not None:
                self.losses = {}
            due = bool(checkpoint_every) and self.steps % checkpoint_every == 0
            if info is not None or due or stop.requested:
                write_checkpoint(output, self.read())
            if stop.requested:
                raise Stopped
        self._save(output, is_best=False)

    def is_over(self) -> bool:
        """RETURNS (bool): Whether there was no better score for `patience` steps, or all `max_steps` are taken."""
        if not self.results:
            return False
        last = self.steps - 1
        best = -max((score, -step) for score, step in self.results)[1]
        patience, max_steps = self.settings["patience"], self.settings["max_steps"]
        return bool(patience and last - best >= patience) or bool(max_steps and last >= max_steps)

    def _take_step(self) -> Optional[List[Example]]:
        """RETURNS (Optional[List[Example]]): The batch that was learned from; None when there are no more."""
        settings, step = self.settings, self.steps
        taken = next(self.batches, None)
        if taken is None:
            return None
        self.epoch, batch = taken
        if settings["before_update"]:
            settings["before_update"](self.nlp, {"step": step, "epoch": self.epoch})
        seed_device(self.seed, step)
        drop = next(self.dropouts)
        learn_rate = float(self.optimizer.learn_rate)
        try:
            for part in spacy_loop.subdivide_batch(batch, settings["accumulate_gradient"]):
                self.nlp.update(
                    part,
                    drop=drop,
                    losses=self.losses,
                    sgd=False,  # type: ignore[arg-type]
                    exclude=self.frozen,
                    annotates=settings["annotating_components"],
                )
                self.watch.check_losses(self.losses)
            for name, pipe in self.nlp.pipeline:
                learns = name not in self.frozen and getattr(pipe, "is_trainable", False)
                if learns and getattr(pipe, "model", None) not in (True, False, None):
                    pipe.finish_update(self.watch.optimizer)  # type: ignore[attr-defined]
        except NotFinite as error:
            message = explain(error, step, self.epoch, learn_rate, batch)
            raise NotFinite(error.component, error.what, message) from error
        self.optimizer.step_schedules()
        self.words += sum(len(eg) for eg in batch)
        self.steps += 1
        return batch

    def _end_step(self, batch: List[Example], output: Path) -> Optional[Dict[str, Any]]:
        """Evaluate and save where it is time to. RETURNS (Optional[Dict[str, Any]]): Then what spaCy's loggers take."""
        for warning in self.watch.end_step():
            self._tell(msg.warn(warning))
        step = self.steps - 1
        if step % self.settings["eval_frequency"]:
            return None
        with self.nlp.use_params(self.optimizer.averages):
            score, scores = self.evaluate()
        self._tell_missing(scores)
        self.weights = {key: weight for key, weight in self.weights.items() if key in scores}  # as `evaluate` does
        self.results.append((score, step))
        is_best = score == max(self.results)[0]
        info = {
            "epoch": self.epoch,
            "step": step,
            "score": score,
            "other_scores": scores,
            "losses": self.losses,
            "checkpoints": self.results,
            "seconds": int(timer() - self.start),
            "words": self.words,
        }
        with self.nlp.select_pipes(disable=self.frozen):
            spacy_loop.update_meta(self.settings, self.nlp, info)
        self._save(output, is_best=is_best)
        norms, warnings = self.watch.end_evaluation(scores)
        for warning in warnings:
            self._tell(msg.warn(warning))
        more = {"is_best": is_best, "learn_rate": float(self.optimizer.learn_rate), "gradient_norms": norms}
        append_record(output / FILE, {**record_of(info), **more})
        info["output_path"] = str(output / loop.DIR_MODEL_LAST)
        return info

    def _save(self, output: Path, *, is_best: bool) -> None:
        last, best = output / loop.DIR_MODEL_LAST, output / loop.DIR_MODEL_BEST
        with self.nlp.use_params(self.optimizer.averages):
            replace_folder(last, lambda path: self.before_to_disk(self.nlp).to_disk(path))
        if is_best:
            replace_folder(best, lambda path: copytree(last, path))

    # Leaving and resuming

    def read(self) -> Checkpoint:
        """RETURNS (Checkpoint): All that is needed to go on after the last step. RAISES (TrainingError): CT605."""
        nodes, arrays = read_weights(self.places)
        optimizer, of_optimizer = read_optimizer(self.optimizer, self.places)
        info = {
            "steps": self.steps,
            "epoch": self.epoch,
            "words": self.words,
            "seconds": timer() - self.start,
            "losses": {name: float(loss) for name, loss in self.losses.items()},
            "results": [[float(score), step] for score, step in self.results],
            "scores": list(self.weights),
            "performance": self.nlp.meta.get("performance", {}),
            "labels": self._labels(),
            "strings": list(itertools.islice(self.nlp.vocab.strings, self._n_strings, None)),
            "batches": self.batches.training_state(),
            "random": encode(read_all()),
            "optimizer": optimizer,
            "nodes": nodes,
            "watch": self.watch.training_state(),
            "others": {name: each.training_state() for name, each in self._others()},
        }
        return Checkpoint(info, {**arrays, **of_optimizer})

    def put_back(self, checkpoint: Checkpoint) -> None:
        """Go on from there: the pipeline is new, initialized from the same config and data.

        RAISES (TrainingError): CT603 when the pipeline is another one, CT604 when the data come in another order.
        """
        info, arrays = checkpoint
        if info["labels"] != self._labels():
            other = [name for name, labels in self._labels().items() if info["labels"].get(name) != labels]
            raise TrainingError(Errors.CT603.format(what=f"the labels of {', '.join(other)}"))
        for string in info["strings"]:
            self.nlp.vocab.strings.add(string)
        self.batches.set_training_state(info["batches"])
        weights = {name: each for name, each in arrays.items() if not name.startswith(f"{PREFIX}.")}
        of_optimizer = {name: each for name, each in arrays.items() if name.startswith(f"{PREFIX}.")}
        put_back_weights(self.places, info["nodes"], weights)
        put_back_optimizer(self.optimizer, self.places, info["optimizer"], of_optimizer, info["steps"])
        for _ in range(info["steps"]):
            next(self.dropouts)
        self._score_by({key: self.weights[key] for key in info["scores"]})
        self.steps, self.epoch, self.words = info["steps"], info["epoch"], info["words"]
        self.start = timer() - info["seconds"]
        self.losses = info["losses"]
        self.results = [(score, step) for score, step in info["results"]]
        self.nlp.meta["performance"] = info["performance"]
        for _ in self.results if self.dev_has_place else ():
            for _ in self.dev_corpus(self.nlp):
                pass
        self.watch.set_training_state(info["watch"])
        for name, each in self._others():
            each.set_training_state(info["others"][name])
        put_back(decode(info["random"]))

    def _others(self) -> List[Tuple[str, Any]]:
        """Whatever else says that it has a state: components, and the callback before updates."""
        others = [*self.nlp.pipeline, ("before_update", self.settings["before_update"])]
        return [(name, each) for name, each in others if hasattr(each, "training_state")]

    def _labels(self) -> Dict[str, List[str]]:
        learning = [(name, pipe) for name, pipe in self.nlp.pipeline if name not in self.frozen]
        return {name: [str(label) for label in getattr(pipe, "labels", ())] for name, pipe in learning}

    # What is told

    def _tell(self, line: Any) -> None:
        self.stdout.write(f"{line}\n")

    def _tell_missing(self, scores: Dict[str, Any]) -> None:
        """Tell which scores count and are not there; spaCy leaves them out from now on."""
        missing = [key for key, weight in self.weights.items() if weight and key not in scores]
        if missing:
            left = [key for key, weight in self.weights.items() if weight and key in scores]
            rest = f"The others count: {', '.join(left)}." if left else "So nothing tells which pipeline is best."
            there = ", ".join(key for key, value in scores.items() if isinstance(value, float)) or "none"
            self._tell(msg.warn(Warnings.CW603.format(names=", ".join(missing), rest=rest, there=there)))

    def _tell_start(self) -> None:
        annotating = self.settings["annotating_components"]
        self._tell(msg.info(f"Pipeline: {self.nlp.pipe_names}"))
        if self.frozen:
            self._tell(msg.info(f"Frozen components: {self.frozen}"))
        if annotating:
            self._tell(msg.info(f"Set annotations on update for: {annotating}"))
        self._tell(msg.info(f"Initial learn rate: {self.optimizer.learn_rate}"))
