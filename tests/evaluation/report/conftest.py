"""Tests of scores by nervaluate need nervaluate 1.2, and that needs Python 3.11."""

import sys

collect_ignore = [] if sys.version_info >= (3, 11) else ["test_report_schemes.py"]
