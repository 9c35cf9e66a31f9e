"""The promise: scores are computed in one module, and finished files are written by one: nobody else imports what that takes."""

import grimp
import pytest

ONE_PLACE = {  # what it takes -> who imports it
    "pocketvision.run.metrics": {"pocketvision.run.assess"},
    "pocketvision.export.artifact": {"pocketvision.jobs.finish.file"},
    "pocketvision.export.seal": {"pocketvision.export.artifact", "pocketvision.export.verify"},
}


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("pocketvision", cache_dir=None)


@pytest.mark.parametrize("module", ONE_PLACE)
def test_who_imports_it(module, imports):
    assert imports.find_modules_that_directly_import(module) == ONE_PLACE[module]


SHARED = {  # the place -> some of those who leave that work to it
    "run.assess": {"compress.gate", "export.evaluate", "jobs.fit", "jobs.finish.parts", "jobs.sizes.judge"},
    "jobs.finish.file": {"jobs.fit", "jobs.cut", "jobs.compress", "jobs.export"},
}


@pytest.mark.parametrize("place", SHARED)
def test_who_leaves_it_to_that_place(place, imports):
    found = imports.find_modules_that_directly_import(f"pocketvision.{place}")
    assert {f"pocketvision.{name}" for name in SHARED[place]} <= found
