"""Each fault of `mutants.py` can be put into the source as it is, and no folder of the source is without one."""

from pathlib import Path

import pytest
from run import HOME, PACKAGE, locate, read_sources

from mutants import MUTANTS

SOURCES = read_sources(HOME)


def test_each_snippet_stands_once_and_leaves_whole_python():
    for mutant in MUTANTS:
        path, changed = locate(mutant, SOURCES)
        assert changed != SOURCES[path], mutant.name


def test_names_differ_and_all_tests_are_there():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for test in {test for mutant in MUTANTS for test in mutant.tests}:
        path, _, name = test.partition("::")
        assert (HOME / path).exists(), test
        assert not name or f"def {name}(" in (HOME / path).read_text(encoding="utf-8"), test


def test_every_folder_has_a_fault():
    folders = {
        path.parent
        for path in SOURCES
        if path.suffix == ".py" and path.parent != PACKAGE and path.name != "__init__.py"
    }
    assert folders <= {locate(mutant, SOURCES)[0].parent for mutant in MUTANTS}


def test_a_snippet_that_is_not_there_once_is_refused():
    with pytest.raises(LookupError, match="no source holds"):
        locate(MUTANTS[0], {Path("a.py"): ""})
    with pytest.raises(LookupError, match="more than once"):
        locate(MUTANTS[0], {Path(name): MUTANTS[0].before for name in ("a.py", "b.py")})
