"""The options that scripts which train on the corpora have in common."""

import argparse
import os
from pathlib import Path


def make_parser(doc: str | None, quick: str, *, jobs: bool = True) -> argparse.ArgumentParser:
    """RETURNS (argparse.ArgumentParser): With --data, --threads, --quick (what it does is `quick`) and --jobs."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    data = os.environ.get("CTXTAG_DATA")
    add("--data", type=Path, default=data, required=not data, help="folder of the corpora (else $CTXTAG_DATA)")
    if jobs:
        add("--jobs", type=int, default=1, help="trainings at a time")
    add("--threads", type=int, default=os.cpu_count() or 1, help="threads of each process (default: all cores)")
    add("--quick", action="store_true", help=f"{quick}: to see that it runs; nothing is kept")
    return parser
