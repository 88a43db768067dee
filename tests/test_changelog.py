"""The changelog and the version of the package agree."""

import re
from pathlib import Path

import spacy_ctxtag

CHANGELOG = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf8")
VERSIONS = re.findall(
    r"^## \[(\d+\.\d+\.\d+(?:\.\w+)?)\] - (\d{4}-\d{2}-\d{2}|unreleased)$", CHANGELOG, flags=re.MULTILINE
)


def test_changelog_newest_version_is_that_of_the_package() -> None:
    assert VERSIONS[0][0] == spacy_ctxtag.__version__


def test_changelog_every_section_has_a_version_and_a_date() -> None:
    assert len(VERSIONS) == len(re.findall(r"^## ", CHANGELOG, flags=re.MULTILINE))


def test_changelog_only_the_newest_version_may_be_unreleased() -> None:
    assert "unreleased" not in [date for _, date in VERSIONS[1:]]
