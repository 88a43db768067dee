"""One process at a time for a folder, and what is left of one that was killed."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spacy_ctxtag.exceptions import TrainingError
from spacy_ctxtag.training.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from spacy_ctxtag.training.lock import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_lock_is_held_by_one_process_and_gone_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match=r"CT607.*run"), locked(folder):
            pass
        other.send_signal(signal.SIGKILL)
    with locked(folder):
        pass


def test_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_lock_where_the_file_system_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr("fcntl.flock", flock)
    with locked(tmp_path), locked(tmp_path):
        pass


def test_lock_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="broken"), locked(tmp_path):
        pass
