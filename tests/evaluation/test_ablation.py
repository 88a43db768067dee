"""Ablations: what a grid changes, which runs are done, what is shown. Trainings are in tests/cli/test_cli_ablate.py."""

import json
import os
import signal
import sys
import threading
import time

import pytest
from thinc.api import Config

from spacy_ctxtag.evaluation.ablation import BASE, Run, Variant, changed, execute, make_runs, read_grid, tables
from spacy_ctxtag.evaluation.children import Children

CONFIG = """
[paths]
train = null

[nlp]
lang = "en"
pipeline = ["sentencizer"]

[components]

[components.sentencizer]
factory = "sentencizer"
punct_chars = null

[training]
seed = 0
dropout = 0.1
"""


def write_grid(folder, text):
    path = folder / "grid.yml"
    path.write_text(text, encoding="utf8")
    return path


def test_read_grid_puts_the_base_first_and_under_all(tmp_path):
    grid = "base:\n  training.dropout: 0.2\nvariants:\n  one:\n    nlp.lang: de\n  two:\n    training.dropout: 0.3\n"
    found = read_grid(write_grid(tmp_path, grid))
    assert [variant.name for variant in found] == [BASE, "one", "two"]
    assert [variant.changes.get("training.dropout") for variant in found] == [0.2, 0.2, 0.3]


@pytest.mark.parametrize(
    "grid",
    [
        "[]",
        "variants: {}",
        "variants:\n  base: {}",
        "variants:\n  a b: {}",
        "variants:\n  one: 3",
        "other: 1\n",
        "a: [",
    ],
)
def test_read_grid_refuses_what_is_no_grid(tmp_path, grid):
    with pytest.raises(ValueError, match=r"CT701.*grid\.yml"):
        read_grid(write_grid(tmp_path, grid))


def test_changed_replaces_settings_and_sections_in_a_copy():
    config = Config().from_str(CONFIG, interpolate=False)
    changes = {"training.dropout": 0.5, "components.sentencizer": {"factory": "x"}, "paths.train": None, "nlp.new": 1}
    new = changed(config, Variant("v", changes))
    assert (new["training"]["dropout"], new["components"]["sentencizer"]) == (0.5, {"factory": "x"})
    assert new["nlp"]["new"] == 1
    assert config == Config().from_str(CONFIG, interpolate=False)


@pytest.mark.parametrize("key", ["trainin.dropout", "training.dropout.rate", "nlp.pipeline.x"])
def test_changed_refuses_a_setting_without_a_place(key):
    with pytest.raises(ValueError, match=f"CT702.*v.*{key}"):
        changed(Config().from_str(CONFIG), Variant("v", {key: 1}))


@pytest.fixture
def base(tmp_path):
    (tmp_path / "base.cfg").write_text(CONFIG, encoding="utf8")
    (tmp_path / "data").write_text("texts", encoding="utf8")
    (tmp_path / "train").write_text("texts", encoding="utf8")
    return tmp_path


def runs_of(base, *, changes=(), seeds=(0, 1)):
    variants = [Variant(BASE, {}), Variant("more", dict([("training.dropout", 0.5), *changes]))]
    overrides = {"paths.train": str(base / "train")}
    return make_runs(base / "base.cfg", overrides, variants, list(seeds), base / "data", base / "out")


def test_make_runs_writes_the_config_of_each(base):
    runs = runs_of(base)
    assert [(run.variant, run.seed) for run in runs] == [(BASE, 0), ("more", 0), (BASE, 1), ("more", 1)]
    configs = [Config().from_disk(run.config) for run in runs]
    assert [(c["training"]["dropout"], c["training"]["seed"]) for c in configs] == [
        (0.1, 0),
        (0.5, 0),
        (0.1, 1),
        (0.5, 1),
    ]
    assert {c["paths"]["train"] for c in configs} == {str(base / "train")}


def test_make_runs_refuses_a_config_that_cannot_be_used(base):
    with pytest.raises(ValueError, match=r"CT703.*more.*nothing_such"):
        runs_of(base, changes=[("components.sentencizer", {"factory": "nothing_such"})])


def test_make_runs_refuses_a_training_setting_that_means_nothing(base):
    with pytest.raises(ValueError, match=r"CT707.*'max_step'.*'more'.*Is 'max_steps' meant"):
        runs_of(base, changes=[("training.max_step", 3)])
    text = (base / "base.cfg").read_text(encoding="utf8")
    (base / "base.cfg").write_text(f"{text}max_step = 3\n", encoding="utf8")  # spaCy takes such a config
    assert runs_of(base)
    with pytest.raises(ValueError, match=r"CT707.*'max_step'.*'more'"):
        runs_of(base, changes=[("training.max_step", 4)])
    with pytest.raises(ValueError, match=r"CT707.*'max_step'.*an option"):
        make_runs(base / "base.cfg", {"training.max_step": 4}, [Variant(BASE, {})], [0], base / "data", base / "out")


def finish(run, score=0.5):
    hits = round(20 * score)
    result = {"key": run.key, "scores": {"ents_f": hits / 20}, "counts": {"ents_f": [[hits, 20, 20], [0, 0, 0]]}}
    run.file.write_text(json.dumps(result), encoding="utf8")


@pytest.mark.parametrize("what", ["train", "data", "setting", "nothing"])
def test_results_are_of_one_config_and_its_data(base, what):
    for run in runs_of(base):
        finish(run)
    if what in ("train", "data"):
        (base / what).write_text("other texts", encoding="utf8")
    again = runs_of(base, changes=[("nlp.lang", "de")] if what == "setting" else [])
    done = [run.read() is not None for run in again]
    assert done == {"nothing": [True] * 4, "setting": [True, False] * 2}.get(what, [False] * 4)


def test_execute_does_what_is_missing_and_keeps_what_is_done(base):
    runs, asked, said = runs_of(base), [], []
    finish(runs[0])
    code = "import sys, json, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"

    def command(run: Run):
        asked.append(run)
        result = json.dumps({"key": run.key, "scores": {}, "counts": {}})
        return [
            sys.executable,
            "-c",
            "raise SystemExit('out of luck')" if run is runs[2] else code,
            str(run.file),
            result,
        ]

    (runs[2].folder / "log.txt").write_text("what it said before\n", encoding="utf8")
    with pytest.raises(RuntimeError, match=r"CT704.*1 of 3.*base with seed 1"):
        execute(runs, command, 2, said.append)
    log = runs[2].folder / "log.txt"
    assert f"base, seed 1: failed (out of luck), see {log}" in [line.split(";")[0] for line in said]
    assert log.read_text(encoding="utf8").splitlines() == ["what it said before", "out of luck"]
    assert {id(run) for run in asked} == {id(run) for run in runs[1:]}
    assert [run.read() is not None for run in runs] == [True, True, False, True]
    assert said[0] == "4 runs, 3 to do"


@pytest.mark.parametrize(
    ("jobs", "set_to", "expected"), [(1, None, None), (2, None, 4), (3, None, 2), (99, None, 1), (2, "7", 7)]
)
def test_execute_shares_the_cores(base, monkeypatch, jobs, set_to, expected):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_to is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", set_to)
    [run] = runs_of(base, seeds=[0])[:1]
    result = "{'key': sys.argv[2], 'n': os.environ.get('OMP_NUM_THREADS')}"
    code = f"import os, sys, json; json.dump({result}, open(sys.argv[1], 'w'))"
    execute([run], lambda run: [sys.executable, "-c", code, str(run.file), run.key], jobs, lambda line: None)
    assert run.read()["n"] == (None if expected is None else str(expected))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_execute_that_is_ended_ends_its_processes(base, number, capfd):
    runs, asked, said = runs_of(base), [], []
    code = (
        "import sys, time, pathlib; folder = pathlib.Path(sys.argv[1]); "
        "(folder / 'began').touch(); time.sleep(20); (folder / 'ended').touch()"
    )

    def command(run: Run):
        asked.append(run)
        return [sys.executable, "-c", code, str(run.folder)]

    def end():
        while not all((run.folder / "began").exists() for run in runs[:2]):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    before = signal.signal(number, signal.default_int_handler)  # it may be ignored where the tests were started
    try:
        threading.Thread(target=end).start()
        with pytest.raises(KeyboardInterrupt):
            execute(runs, command, 2, said.append)
    finally:
        signal.signal(number, before)
    assert not any((run.folder / "ended").exists() for run in runs)
    assert asked == runs[:2]
    assert not any((run.folder / "log.txt").exists() for run in runs[2:])
    assert capfd.readouterr().err.count("Ending the trainings") == 1
    assert said == ["4 runs, 4 to do", "Ended. The same command goes on from here"]


def test_signal_that_is_ignored_stays_so(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        children = Children()
        with children.ending_with_this():
            os.kill(os.getpid(), signal.SIGHUP)
            assert children.run([sys.executable, "-c", ""], tmp_path / "log.txt", None) == 0
        assert children.signal == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_tables_show_means_and_differences(base):
    runs = runs_of(base)
    for run, score in zip(runs, (0.4, 0.6, 0.5, 0.9), strict=True):
        finish(run, score)
    (first, second), *rest = tables(runs).values()
    assert not rest
    assert (first.variant, first.scores, first.over_base) == (BASE, [0.4, 0.5], None)
    assert (first.mean, first.sd) == (pytest.approx(0.45), pytest.approx(0.05 * 2**0.5))
    assert second.over_base.difference == pytest.approx(0.3)
