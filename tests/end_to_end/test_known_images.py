"""A run knows the images that its check has seen: the same command decodes them for the check no second time."""

import shutil
from pathlib import Path

import pytest

from commandline import SMALL, pocketvision
from pocketvision.data import looks
from pocketvision.run.examine import examine_image

IMAGES = 36  # three classes of twelve


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that the check decoded."""
    paths: list[Path] = []
    monkeypatch.setattr(looks, "examine_image", lambda path, most: paths.append(path) or examine_image(path, most))
    return paths


@pytest.mark.parametrize(("more", "count"), [([], 0), (["--recheck"], IMAGES)])
def test_a_finished_run_decodes_nothing(more, count, run_folder, photos, decoded):
    again = pocketvision("fit", photos, *SMALL, "--batch-size", 8, "-o", run_folder, *more)
    assert again.code == 0 and "is finished" in again.err, again.err
    assert len(decoded) == count


def test_a_run_that_goes_on_looks_at_what_may_have_changed(run_folder, photos, decoded, tmp_path):
    mine, run = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(photos, mine)  # with the times of the files
    shutil.copytree(run_folder, run)
    (run / "report.html").unlink()
    (mine / "cat" / "000.jpg").touch()
    again = pocketvision("fit", mine, *SMALL, "--batch-size", 8, "-o", run)
    assert again.code == 0, again.err
    assert decoded == [mine / "cat" / "000.jpg"] and (run / "report.html").exists()


def test_changed_images_are_refused(run_folder, photos, decoded, tmp_path):
    mine = tmp_path / "photos"
    shutil.copytree(photos, mine)
    shutil.copyfile(mine / "rocket" / "000.jpg", mine / "coffee" / "000.jpg")
    again = pocketvision("fit", mine, *SMALL, "--batch-size", 8, "-o", run_folder)
    assert again.code == 2 and "holds a finished run with other images; since then: " in again.err, again.err
    assert "coffee/000.jpg" in again.err and decoded == [mine / "coffee" / "000.jpg"]
