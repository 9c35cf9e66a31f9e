"""report.html in a real browser: Debian's Chromium, wide and narrow, light and dark; and what it says is what the run found."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commandline import pocketvision
from pocketvision.report.page import SECTIONS
from pocketvision.run.predictor import load

WIDE, NARROW = 1280, 360


@pytest.fixture(scope="module")
def browser() -> Iterator:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, run_folder: Path, width: int, scheme: str) -> Iterator:
    """Open the report; whatever the browser complained about is an error at the end."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("request", lambda request: requests.append(request.url))
    url = (run_folder / "report.html").as_uri()
    page.goto(url)
    yield page
    assert complaints == []
    assert [request for request in requests if request != url and not request.startswith("data:")] == []
    context.close()


@pytest.fixture(scope="module")
def page(browser, run_folder: Path) -> Iterator:
    """The report as most see it."""
    with opened(browser, run_folder, WIDE, "light") as page:
        yield page


@pytest.fixture(scope="module", params=[(WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")], ids=str)
def looks(request, browser, run_folder: Path) -> Iterator:
    """The report as others see it."""
    with opened(browser, run_folder, *request.param) as page:
        yield page


@pytest.fixture(scope="module")
def record(model: Path) -> dict:
    return json.loads(load(model).record.to_json())


def facts_on(page) -> dict[str, str]:
    """The figures on the page by their keys."""
    return {e.get_attribute("data-fact"): e.inner_text() for e in page.query_selector_all("[data-fact]")}


def rows_of(page, section: str, number: int = 0) -> list[list[str]]:
    """The cells of a section's table."""
    table = page.query_selector_all(f"#{section} table")[number]
    lines = table.query_selector_all("tbody tr, tfoot tr")
    return [[cell.text_content() for cell in line.query_selector_all("th, td")] for line in lines]


def require_layout(page):
    content, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert content <= window
    outside = page.evaluate(
        """[...document.querySelectorAll("main *")].filter(
            e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > window.innerWidth
        ).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    ink = page.evaluate("getComputedStyle(document.body).color.match(/\\d+/)[0]")
    assert (int(red) < 60, int(ink) > 200) == (is_dark, is_dark)


def test_nothing_is_wider_than_the_page_and_the_colours_follow_the_scheme(page):
    require_layout(page)


def test_others_see_it_so_too(looks):
    require_layout(looks)


def test_every_section_stands_under_its_heading(page):
    expected = {
        key: heading for key, heading, _ in SECTIONS if key not in ("sizes", "precision")
    }  # not elastic, in floats
    assert [section.get_attribute("id") for section in page.query_selector_all("section")] == list(expected)
    for key, heading in expected.items():
        section = page.query_selector(f"#{key}")
        assert section.query_selector("h2").inner_text() == heading
        assert section.bounding_box()["height"] > 80


def test_every_picture_and_chart_has_words(page):
    for image in page.query_selector_all("img"):
        assert len(image.get_attribute("alt")) > 10
        assert image.evaluate(
            "e => e.complete && e.naturalWidth > 0 && Math.max(e.naturalWidth, e.naturalHeight) <= 96"
        )
    charts = page.query_selector_all("svg")
    assert len(charts) >= 6
    for chart in charts:
        assert chart.get_attribute("role") == "img" and len(chart.get_attribute("aria-label")) > 10


def test_one_choice_chart_is_shown_and_it_marks_the_pick(page):
    (shown,) = [chart for chart in page.query_selector_all("#choice svg") if chart.is_visible()]
    assert len(shown.query_selector_all(".dot.pick")) == 1


def test_the_result_is_that_of_the_record(page, record, model):
    found, score, measured = facts_on(page), record["metrics"]["test"], record["latencies"][0]
    assert found["top1"] == f"{100 * score['top1']:.2f} %"
    assert found["standard-error"] == f"{100 * score['standard_error']:.2f} %"
    assert found["images"] == str(score["images"])
    assert (found["latency"], found["noise"]) == (f"{measured['latency_ms']:.3f}", f"{measured['noise_ms']:.3f}")
    assert found["size"] == f"{model.stat().st_size / 1e6:.2f}"
    assert found["macs"] == f"{record['model']['macs']:,}" and found["params"] == f"{record['model']['params']:,}"
    assert (found["ece"], found["ece-before"]) == (f"{score['ece']:.4f}", f"{score['ece_uncalibrated']:.4f}")
    assert found["temperature"] == f"{record['temperature']:.3f}"
    assert found["fingerprint"] == record["metrics"]["data"]["fingerprint"]


def test_the_result_is_that_of_the_evaluation(page, model, photos):
    """By the exported file alone, on the split made again."""
    now = json.loads(pocketvision("evaluate", model, photos, "--json").out)
    answers = [json.loads(line) for line in pocketvision("predict", model, photos, "--json").out.splitlines()]
    found = facts_on(page)
    assert found["top1"] == f"{100 * now['top1']:.2f} %"
    assert found["mistakes"] == str(round((1 - now["top1"]) * now["images"]))
    sure = {Path(a["source"]).relative_to(photos).as_posix(): a["labels"][0] for a in answers}
    pictures = page.query_selector_all("#pictures li")
    assert len(pictures) == int(found["mistakes"]) + now["images"]
    for picture in pictures:
        key, shown = picture.query_selector(".key").inner_text(), picture.inner_text()
        assert sure[key]["name"] in shown and f"{sure[key]['probability']:.2f}" in shown


def test_the_candidates_are_those_of_the_plan(page, run_folder):
    plan = json.loads((run_folder / "plan.json").read_text())
    rows = rows_of(page, "choice")
    assert [row[0] for row in rows] == [candidate["name"] for candidate in plan["candidates"]]
    assert [row[0] for row in rows if row[1] == "pick"] == [plan["network"]]


def test_the_curves_are_those_of_the_log(page, run_folder):
    lines = map(json.loads, (run_folder / "log.jsonl").read_text().splitlines())
    epochs = [line for line in lines if line["event"] == "epoch"]
    expected = [[str(e["epoch"]), f"{e['loss']:.4f}", f"{e['validation_loss']:.4f}"] for e in epochs]
    assert [row[:3] for row in rows_of(page, "training")] == expected
    assert len(page.query_selector_all("#training svg")) == 3


def test_confusion_and_classes_agree_with_each_other(page, record):
    matrix = {row[0]: list(map(int, row[1:])) for row in rows_of(page, "confusion")}
    assert list(matrix) == record["labels"]
    assert sum(map(sum, matrix.values())) == record["metrics"]["test"]["images"]
    for label, images, answers, right, precision, recall, _ in rows_of(page, "classes"):
        place = record["labels"].index(label)
        column = sum(row[place] for row in matrix.values())
        assert (int(images), int(answers), int(right)) == (sum(matrix[label]), column, matrix[label][place])
        assert recall == f"{100 * int(right) / int(images):.1f} %"
        assert precision == (f"{100 * int(right) / column:.1f} %" if column else "-")


def test_the_costs_are_those_of_show(page, record):
    model = record["model"]
    options = ("width", "resolution", "classes", "output_stride")
    words = [word for name in options for word in (f"--{name.replace('_', '-')}", model[name])]
    shown = json.loads(pocketvision("show", model["family"], *words, "--json").out)
    rows = rows_of(page, "cost")
    costs = {op["name"]: f"{op['macs']:,}" for op in shown["ops"]}
    assert [row[4] for row in rows[:-1]] == [costs[row[0]] for row in rows[:-1]]
    assert rows[-1][3:5] == [f"{shown['params']:,}", f"{shown['macs']:,}"]
    assert " of " in facts_on(page)["dead"] and sum(bool(row[6]) for row in rows[:-1]) > 5


def test_the_data_and_their_split_are_named(page, photos):
    assert photos.name in page.query_selector("#data").inner_text()
    found = facts_on(page)
    assert [found[f"images-{part}"] for part in ("train", "validation", "test")] == ["24", "6", "6"]


def test_the_five_lines_answer_as_predict_does(page, model, photos, tmp_path):
    code = page.query_selector('[data-code="Python"]').inner_text().strip()
    assert len(code.splitlines()) == 5
    shutil.copy(model, tmp_path / "model.onnx")
    photo = photos / "cat" / "005.jpeg"  # one that the camera turned
    shutil.copy(photo, tmp_path / "photo.jpg")
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = json.loads(pocketvision("predict", model, photo, "--json").out)["labels"][0]
    name, probability = done.stdout.split()
    assert (name, float(probability)) == (answer["name"], pytest.approx(answer["probability"], abs=1e-4))


def test_nothing_of_the_machine_is_on_the_page(run_folder):
    source = (run_folder / "report.html").read_text() + (run_folder / "report.json").read_text()
    for private in (run_folder, run_folder.parent, Path.home(), Path.cwd()):
        assert str(private) not in source


def test_the_verb_makes_the_same_page(run_folder, tmp_path):
    assert pocketvision("report", run_folder, "-o", tmp_path / "again.html").code == 0
    assert (tmp_path / "again.html").read_bytes() == (run_folder / "report.html").read_bytes()
