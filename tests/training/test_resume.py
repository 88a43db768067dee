"""Runs of `training.train`: as `spacy train` in the end, and the same when they are stopped anywhere and resumed."""

import io
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import make_pipeline, write_corpus
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config

from spacy_ctxtag.exceptions import TrainingError
from spacy_ctxtag.training.lock import locked
from spacy_ctxtag.training.record import FILE, read_records
from spacy_ctxtag.training.stop import Stop
from spacy_ctxtag.training.train import Outcome, set_seed, train

STEPS = 9  # `max_steps` is the number of the last one
HOOK = "ctxtag_tests.Hook.v1"
hooks: list[Callable[[int], None]] = []
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averages": {"optimizer": {"@optimizers": "Adam.v1", "learn_rate": 0.02, "use_averages": True, "L2": 0.01}},
    "our averages": {
        "optimizer": {
            "@optimizers": "spacy-ctxtag.Adam.v1",
            "learn_rate": 0.02,
            "use_averages": True,
            "average_decay": 0.8,
            "average_start": 2,
            "L2": 0.01,
        }
    },
    "radam": {"optimizer": {"@optimizers": "RAdam.v1", "learn_rate": 0.02}},
    "accumulated": {"accumulate_gradient": 2},
    "streamed": {"max_epochs": -1},
    "epochs": {"max_epochs": 4, "max_steps": 0},
    "schedules": {
        "optimizer": {
            "@optimizers": "Adam.v1",
            "learn_rate": {
                "@schedules": "warmup_linear.v1",
                "warmup_steps": 3,
                "total_steps": 20,
                "initial_rate": 0.05,
            },
        },
        "batcher": {
            "@batchers": "spacy.batch_by_words.v1",
            "size": {"@schedules": "compounding.v1", "start": 5, "stop": 30, "compound": 1.5},
            "tolerance": 0.2,
            "discard_oversize": False,
            "get_length": None,
        },
    },
}


@spacy.registry.callbacks(HOOK)
def create_hook() -> Callable[[Any, dict[str, Any]], None]:
    return lambda nlp, info: [hook(info["step"]) for hook in hooks] and None


@pytest.fixture(autouse=True)
def no_hooks() -> Iterator[None]:
    """A test leaves no hook behind: fixtures of the module, which come before those of the next test, train, too."""
    yield
    hooks.clear()


def make(config: Config, **settings: Any) -> Config:
    config = config.copy()
    config["training"].update({"max_steps": STEPS - 1, "eval_frequency": 3, **settings})
    config["training"]["before_update"] = {"@callbacks": HOOK}
    return config


def run(config: Config, output: Path, **options: Any) -> Outcome:
    return train(config, output, stdout=io.StringIO(), stderr=io.StringIO(), **options)


def run_in_parts(config: Config, output: Path, *steps: int) -> None:
    """Train, and stop after each of these steps."""
    for part, step in enumerate([*steps, None]):
        stop = Stop()
        hooks[:] = [lambda at, step=step, stop=stop: setattr(stop, "requested", stop.requested or at == step)]
        outcome = run(config, output, resume=part > 0, stop=stop)
        assert outcome.status == ("finished" if step is None else "stopped")


def files(folder: Path) -> dict[str, bytes]:
    """RETURNS (dict): All files of a pipeline but the meta, which says how fast it is."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "meta.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def assert_same(output: Path, expected: Path) -> None:
    for name in ("model-last", "model-best"):
        found, wanted = files(output / name), files(expected / name)
        assert sorted(found) == sorted(wanted)
        assert [path for path in wanted if found[path] != wanted[path]] == []
        assert scores_of(output / name) == scores_of(expected / name)


def scores_of(folder: Path) -> dict[str, Any]:
    performance = json.loads((folder / "meta.json").read_text(encoding="utf8"))["performance"]
    return {key: value for key, value in performance.items() if key != "speed"}


def train_with_spacy(config: Config, output: Path) -> Path:
    output.mkdir(exist_ok=True)
    spacy_train(init_nlp(config), output, stdout=io.StringIO(), stderr=io.StringIO())
    return output


@pytest.fixture(scope="module")
def expected(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `spacy train` makes of the plain config."""
    return train_with_spacy(make(config), tmp_path_factory.mktemp("expected"))


@pytest.fixture(scope="module")
def finished(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    output = tmp_path_factory.mktemp("finished")
    run(make(config), output)
    return output


# The same as `spacy train`


@pytest.mark.backbone
@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "plain"])
def test_resumed_run_is_that_of_spacy_train(variant: str, config: Config, tmp_path: Path) -> None:
    config = make(config, **VARIANTS[variant])
    run_in_parts(config, tmp_path / "run", 4)
    assert_same(tmp_path / "run", train_with_spacy(config, tmp_path / "expected"))


@pytest.mark.backbone
def test_run_that_is_never_stopped_is_that_of_spacy_train(finished: Path, expected: Path) -> None:
    assert_same(finished, expected)


@pytest.mark.parametrize("steps", [(0,), (1,), (2, 3), (5, 6, 7), (8,)], ids=str)
def test_run_may_be_stopped_after_any_step(
    steps: tuple[int, ...], config: Config, expected: Path, tmp_path: Path
) -> None:
    run_in_parts(make(config), tmp_path, *steps)
    assert_same(tmp_path, expected)


def test_resumed_run_unfreezes_layers_in_the_same_steps(config: Config, tmp_path: Path) -> None:
    config = make(config)
    config["components"]["ctx_encoder"]["model"].update(unfreeze_every=3, freeze_embeddings=True, lr_decay=0.5)
    run_in_parts(config, tmp_path / "run", 4)
    assert_same(tmp_path / "run", train_with_spacy(config, tmp_path / "expected"))


def test_resumed_run_with_a_component_that_draws_from_the_random_numbers_of_the_data(
    config: Config, tiny_backbone: str, tmp_path: Path
) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    small = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 8, "depth": 1, "embed_size": 50, "window_size": 1}
    small.update(maxout_pieces=2, subword_features=False, pretrained_vectors=None)
    nlp.add_pipe(
        "ner", config={"model": {"hidden_width": 8, "tok2vec": small}}
    )  # cuts its examples at random lengths, from `random`, which also shuffles
    other = nlp.config.copy()
    other["paths"], other["training"] = config["paths"], {**config["training"], "score_weights": {"ents_f": 1.0}}
    other = make(Config(other))
    run_in_parts(other, tmp_path / "run", 2, 5)
    assert_same(tmp_path / "run", train_with_spacy(other, tmp_path / "expected"))


def test_resumed_run_on_a_frozen_encoder(config: Config, finished: Path, tmp_path: Path) -> None:
    config = make(config, frozen_components=["ctx_encoder"], annotating_components=["ctx_encoder"])
    config["components"]["ctx_encoder"] = {"source": str(finished / "model-last")}
    run_in_parts(config, tmp_path / "run", 4)
    assert_same(tmp_path / "run", train_with_spacy(config, tmp_path / "expected"))


def test_resumed_run_on_variants_that_differ_in_every_epoch(config: Config, tmp_path: Path) -> None:
    config = make(config, max_epochs=-1)
    augmenter = {"@augmenters": "spacy-ctxtag.Casing.v1", "level": 1.0}
    corpus = config["corpora"]["train"]
    config["corpora"]["train"] = {"@readers": "spacy-ctxtag.AugmentedCorpus.v1", "seed": 0, "corpus": corpus}
    config["corpora"]["train"]["augmenter"] = augmenter
    run_in_parts(config, tmp_path / "run", 3, 6)
    assert_same(tmp_path / "run", train_with_spacy(config, tmp_path / "expected"))


def test_resumed_run_of_chunks_with_an_lstm_on_a_mix_with_rare_labels(
    config: Config, tiny_backbone: str, tmp_path: Path
) -> None:
    nlp = make_pipeline(["ctx_chunker"], tiny_backbone, shared=True)
    other = nlp.config.copy()
    other["components"]["ctx_chunker"]["model"]["lstm"] = {"@layers": "spacy-ctxtag.BiLSTM.v1", "width": 8, "depth": 1}
    other["paths"] = config["paths"]
    other["training"] = {**config["training"], "max_epochs": -1, "score_weights": {"spans_chunks_f": 1.0}}
    corpus = config["corpora"]["train"]
    rare = {"@readers": "spacy-ctxtag.RareLabels.v1", "threshold": 1.0, "annotation": "spans.chunks", "corpus": corpus}
    mixed = {"@readers": "spacy-ctxtag.MixedCorpora.v1", "corpora": {"rare": rare, "plain": corpus}, "temperature": 2.0}
    other["corpora"]["train"] = mixed
    other = make(Config(other))
    run_in_parts(other, tmp_path / "run", 2, 5)
    assert_same(tmp_path / "run", train_with_spacy(other, tmp_path / "expected"))


def test_resumed_run_reads_dev_where_it_was(config: Config, tmp_path: Path) -> None:
    config = make(config, eval_frequency=1)
    noise = {"@augmenters": "spacy-ctxtag.CharNoise.v1", "level": 1.0, "rate": 0.5}
    config["corpora"]["dev"]["augmenter"] = noise
    run_in_parts(config, tmp_path / "run", 2, 5)
    run(config, tmp_path / "whole")
    assert_same(tmp_path / "run", tmp_path / "whole")
    found, wanted = (read_records(tmp_path / name / FILE) for name in ("run", "whole"))
    assert [record["score"] for record in found] == [record["score"] for record in wanted]


def test_run_ends_when_there_was_no_better_score_for_so_many_steps(config: Config, tmp_path: Path) -> None:
    still = {"@optimizers": "Adam.v1", "learn_rate": 0.0}
    config = make(config, eval_frequency=1, patience=5, optimizer=still)
    run_in_parts(config, tmp_path / "run", 3)
    assert [record["step"] for record in read_records(tmp_path / "run" / FILE)] == list(range(6))
    assert_same(tmp_path / "run", train_with_spacy(config, tmp_path / "expected"))


def test_resumed_run_with_batches_by_pieces(config: Config, tmp_path: Path) -> None:
    backbone = config["components"]["ctx_encoder"]["model"]["backbone"]
    config = make(config, batcher={"@batchers": "spacy-ctxtag.batch_by_pieces.v1", "size": 40, "backbone": backbone})
    run_in_parts(config, tmp_path / "run", 2, 5)
    assert_same(tmp_path / "run", train_with_spacy(config, tmp_path / "expected"))


def test_score_of_a_run_is_any_combination(config: Config, tmp_path: Path) -> None:
    config = make(config, score_weights={"ents_f": 1.0, "ents_f_unseen": 3.0, "tag_acc": 0.0}, max_steps=6)
    config["corpora"]["train"]["limit"] = 3
    run_in_parts(config, tmp_path, 4)
    lines = read_records(tmp_path / FILE)
    assert len(lines) == 3
    for line in lines:
        scores = line["scores"]
        assert line["score"] == pytest.approx(0.25 * scores["ents_f"] + 0.75 * scores["ents_f_unseen"])
    assert scores_of(tmp_path / "model-last")["ents_f_unseen"] == lines[-1]["scores"]["ents_f_unseen"]


def test_run_that_failed_goes_on_from_its_last_evaluation(config: Config, expected: Path, tmp_path: Path) -> None:
    def fail(step: int) -> None:
        if step == 5:
            raise RuntimeError("no power")

    hooks.append(fail)
    with pytest.raises(RuntimeError, match="no power"):
        run(make(config), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf8"))
    assert (manifest["status"], manifest["error"]) == ("failed", "RuntimeError: no power")
    hooks.clear()
    assert run(make(config), tmp_path, resume=True) == Outcome("finished", STEPS)
    assert_same(tmp_path, expected)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf8"))
    assert [each["steps"] for each in manifest["resumed"]] == [4]


def test_checkpoints_can_be_written_more_often(config: Config, tmp_path: Path) -> None:
    def fail(step: int) -> None:
        if step == 6:
            raise RuntimeError

    hooks.append(fail)
    with pytest.raises(RuntimeError):
        run(make(config), tmp_path, checkpoint_every=2)
    assert json.loads((tmp_path / "checkpoint" / "state.json").read_text(encoding="utf8"))["steps"] == 6


def test_ctrl_c_stops_after_the_step(config: Config, expected: Path, tmp_path: Path) -> None:
    hooks.append(lambda step: signal.raise_signal(signal.SIGINT) if step == 4 else None)
    before = signal.getsignal(signal.SIGINT)
    assert run(make(config), tmp_path) == Outcome("stopped", 5, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    hooks.clear()
    run(make(config), tmp_path, resume=True)
    assert_same(tmp_path, expected)


def test_second_ctrl_c_stops_at_once(config: Config, tmp_path: Path) -> None:
    hooks.append(lambda step: [signal.raise_signal(signal.SIGINT) for _ in range(2)] and None)
    with pytest.raises(KeyboardInterrupt):
        run(make(config), tmp_path)


# What lies in the folder


def test_finished_run_leaves_no_checkpoint(finished: Path) -> None:
    names = {".lock", "manifest.json", "model-best", "model-last", "training.jsonl"}
    assert {path.name for path in finished.iterdir()} == names


def test_history_has_a_line_per_evaluation(finished: Path) -> None:
    lines = read_records(finished / FILE)
    assert [line["step"] for line in lines] == [0, 3, 6]
    assert set(lines[0]["losses"]) == set(lines[0]["gradient_norms"]) == {"ctx_encoder", "ctx_ner", "ctx_tagger"}
    assert {"p", "r", "f"} == set(next(iter(lines[-1]["scores"]["ents_per_type"].values())))
    assert lines[-1]["words"] > lines[0]["words"] > 0
    assert sum(line["is_best"] for line in lines) >= 1
    assert {"score", "epoch", "seconds", "learn_rate"} <= set(lines[0])


def test_history_of_a_resumed_run_has_no_line_twice(config: Config, finished: Path, tmp_path: Path) -> None:
    run_in_parts(make(config), tmp_path, 4, 7)
    found, expected = read_records(tmp_path / FILE), read_records(finished / FILE)
    for line in [*found, *expected]:
        line.pop("seconds")
        line["scores"].pop("speed")
    assert found == expected


def test_run_starts_over_without_resume(config: Config, expected: Path, tmp_path: Path) -> None:
    stop = Stop()
    stop.requested = True
    run(make(config, dropout=0.5), tmp_path, stop=stop)
    (tmp_path / "model-best" / "old.txt").write_text("old")
    run(make(config), tmp_path)
    assert_same(tmp_path, expected)
    assert [line["step"] for line in read_records(tmp_path / FILE)] == [0, 3, 6]


def test_resume_starts_where_there_is_nothing(config: Config, expected: Path, tmp_path: Path) -> None:
    assert run(make(config), tmp_path / "new", resume=True).status == "finished"
    assert_same(tmp_path / "new", expected)


def test_resume_of_a_finished_run_does_nothing(config: Config, finished: Path) -> None:
    before = (finished / "manifest.json").read_bytes()
    assert run(make(config), finished, resume=True) == Outcome("already finished", STEPS)
    assert (finished / "manifest.json").read_bytes() == before


def test_checkpoint_of_a_process_killed_between_two_renames_is_found(
    config: Config, expected: Path, tmp_path: Path
) -> None:
    stop = Stop()
    stop.requested = True
    run(make(config), tmp_path, stop=stop)
    (tmp_path / "checkpoint").rename(tmp_path / ".checkpoint.ctx-old")
    (tmp_path / ".checkpoint.ctx-new").mkdir()
    run(make(config), tmp_path, resume=True)
    assert_same(tmp_path, expected)
    assert not list(tmp_path.glob("*checkpoint*"))


def test_only_one_process_trains_into_a_folder(config: Config, stopped: Path) -> None:
    before = files(stopped)
    with locked(stopped), pytest.raises(TrainingError, match="CT607"):
        run(make(config), stopped)
    assert files(stopped) == before


def test_setting_that_spacy_drops_is_a_warning(config: Config, tmp_path: Path) -> None:
    config = make(config, max_step=3, max_steps=1)
    said = io.StringIO()
    train(config, tmp_path / "run", stdout=said, stderr=io.StringIO())
    told = " ".join(said.getvalue().split())
    assert "[CW604] [training] has no setting 'max_step'; it is left out. Is 'max_steps' meant?" in told


def test_seed_makes_another_run(config: Config, expected: Path, tmp_path: Path) -> None:
    config = make(config)
    set_seed(config, 1)
    assert config["training"]["seed"] == config["system"]["seed"] == 1
    run(config, tmp_path)
    assert files(tmp_path / "model-last") != files(expected / "model-last")


def test_deterministic_run_is_the_same_and_leaves_torch_as_it_was(
    config: Config, expected: Path, tmp_path: Path
) -> None:
    import torch

    seen: list[bool] = []
    hooks.append(lambda step: seen.append(torch.are_deterministic_algorithms_enabled()))
    run(make(config), tmp_path, deterministic=True)
    assert set(seen) == {True}
    assert not torch.are_deterministic_algorithms_enabled()
    assert_same(tmp_path, expected)


# What is refused


@pytest.fixture(scope="module")
def stopped(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped after its first step."""
    output, stop = tmp_path_factory.mktemp("stopped"), Stop()
    stop.requested = True
    run(make(config), output, stop=stop)
    return output


def test_resume_refuses_another_config(config: Config, stopped: Path) -> None:
    with pytest.raises(TrainingError, match=r"CT601.*training\.dropout: 0\.1 → 0\.3"):
        run(make(config, dropout=0.3), stopped, resume=True)


def test_resume_starts_with_another_config_where_nothing_was_kept(config: Config, tmp_path: Path) -> None:
    hooks.append(lambda step: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run(make(config), tmp_path)
    hooks.clear()
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf8"))["status"] == "failed"
    assert run(make(config, dropout=0.3), tmp_path, resume=True).status == "finished"
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf8"))
    assert (manifest["config"]["training"]["dropout"], manifest["resumed"]) == (0.3, [])


def test_resume_refuses_other_data(config: Config, tmp_path: Path) -> None:
    config = make(config)
    config["paths"]["train"] = str(write_corpus(tmp_path / "train.spacy"))
    stop = Stop()
    stop.requested = True
    run(config, tmp_path / "run", stop=stop)
    write_corpus(tmp_path / "train.spacy", 2)
    with pytest.raises(TrainingError, match=r"CT601.*train\.spacy: the data"):
        run(config, tmp_path / "run", resume=True)


def test_resume_accepts_another_logger(config: Config, stopped: Path, tmp_path: Path) -> None:
    logger = {"@loggers": "spacy.ConsoleLogger.v3", "progress_bar": None, "output_file": str(tmp_path / "log.jsonl")}
    stop = Stop()
    stop.requested = True
    assert run(make(config, logger=logger), stopped, resume=True, stop=stop).status == "stopped"


def test_resume_of_a_finished_run_looks_at_no_checkpoint(config: Config, finished: Path, tmp_path: Path) -> None:
    """As one that was killed while it removed its last one has."""
    output = Path(shutil.copytree(finished, tmp_path / "run"))
    (output / "checkpoint").mkdir()
    assert run(make(config), output, resume=True).status == "already finished"


def test_resume_refuses_a_broken_checkpoint(config: Config, tmp_path: Path) -> None:
    stop = Stop()
    stop.requested = True
    run(make(config), tmp_path, stop=stop)
    (tmp_path / "checkpoint" / "state.json").write_text("{")
    with pytest.raises(TrainingError, match="CT602"):
        run(make(config), tmp_path, resume=True)
