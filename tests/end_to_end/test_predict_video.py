"""predict on videos and cameras: every frame is an answer, equal to that of the frame as an image."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys

import av
import pytest

import pocketvision as pv
from commandline import ONE_THREAD, pocketvision, start_program
from pocketvision.run import video
from pocketvision.run.video import read_frames
from videos import break_frames, scenes, write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Twelve frames: a cat, then a cup of coffee."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    return write_video(path, scenes("cat", "coffee"), "libx264", "yuv420p")


@pytest.fixture
def cat(photos):
    return photos / "cat" / "000.jpg"


def summary(name, frames, err):
    """Check the line on stderr; return the label it names."""
    found = re.fullmatch(
        rf"{re.escape(str(name))}: {frames} frames?, [\d.]+ frames/s, mostly (\w+) \((\d+) of {frames}\)\n", err
    )
    assert found, err
    return found[1], int(found[2])


def test_each_frame_is_answered_like_an_image(model, clip):
    outcome = pocketvision("predict", model, clip, "--json", "--top", 3, "--threads", 1)
    assert outcome.code == 0
    documents = [json.loads(line) for line in outcome.out.splitlines()]
    with av.open(str(clip)) as file:
        images = [frame.to_ndarray(format="rgb24").copy() for frame in file.decode(video=0)]
    answers = [pv.load(model, threads=1).predict(image, top=3) for image in images]
    assert documents == [
        {"source": f"{clip}#{index}", "frame": index, "seconds": index / 25} | answer.to_json()
        for index, answer in enumerate(answers)
    ]
    assert documents[0]["labels"] != documents[11]["labels"]
    names = [answer.top.name for answer in answers]
    label, times = summary(clip, 12, outcome.err)
    assert times == names.count(label) == max(map(names.count, names))


def test_the_table_and_csv_have_a_line_a_frame(model, clip):
    header, *lines = pocketvision("predict", model, clip).out.splitlines()
    assert header.split() == ["image", "label", "prob."]
    assert [line.split()[0] for line in lines] == [f"{clip}#{index}" for index in range(12)]
    assert len({line.index(line.split()[1]) for line in [header, *lines]}) == 1  # columns stand below each other
    outcome = pocketvision("predict", model, clip, "--csv", "--top", 2)
    rows = list(csv.DictReader(io.StringIO(outcome.out), strict=True))
    assert [row["source"] for row in rows] == [f"{clip}#{index}" for index in range(12)]
    assert rows[0].keys() == {"source", "unknown", "label_1", "probability_1", "label_2", "probability_2"}
    summary(clip, 12, outcome.err)


def test_images_and_videos_in_the_order_given(model, clip, cat, photos):
    outcome = pocketvision("predict", model, cat, clip, photos / "rocket", "--json")
    rockets = sorted(map(str, (photos / "rocket").iterdir()))
    assert outcome.code == 0
    assert [json.loads(line)["source"] for line in outcome.out.splitlines()] == [
        str(cat),
        *(f"{clip}#{index}" for index in range(12)),
        *rockets,
    ]


def test_a_broken_video_among_good_sources(model, clip, cat, tmp_path):
    letter, gone, cut = tmp_path / "letter.mp4", tmp_path / "gone.mov", tmp_path / "cut.mov"
    letter.write_text("no video, but a letter\n" * 50)
    break_frames(write_video(cut, scenes("rocket")), 4)
    outcome = pocketvision("predict", model, letter, gone, cut, cat, clip, "--json")
    assert outcome.code == 3
    sources = [json.loads(line)["source"] for line in outcome.out.splitlines()]
    assert sources[-13:] == [str(cat), *(f"{clip}#{index}" for index in range(12))]
    assert [source.split("#")[0] for source in sources[:-13]] == [str(cut)] * len(sources[:-13])
    first, second, third, last = outcome.err.splitlines(keepends=True)
    assert first.startswith(f"BadVideo: {letter}: cannot be read as a video: Invalid data")
    assert second.startswith(f"BadVideo: {gone}: ") and " Try: " in second
    assert third.startswith(f"BadVideo: {cut}: cannot be decoded after {len(sources) - 13} frames: ")
    summary(clip, 12, last)


def test_no_such_camera(model):
    outcome = pocketvision("predict", model, "--camera", 63)
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith("BadVideo: camera 63: ") and "Try: ls /dev/video*" in outcome.err


def test_a_camera_is_looked_through(model, clip, monkeypatch):
    """A video file plays the camera. Which frames are newest depends on the machine; the last one is seen by all."""
    monkeypatch.setattr(video, "read_camera", lambda number: read_frames(clip))
    outcome = pocketvision("predict", model, "--camera", 2, "--json")
    documents = [json.loads(line) for line in outcome.out.splitlines()]
    frames = [document["frame"] for document in documents]
    assert outcome.code == 0
    assert frames == sorted(set(frames))
    assert frames[-1] == 11
    assert [document["source"] for document in documents] == [f"camera2#{frame}" for frame in frames]
    last = list(read_frames(clip))[-1].image
    assert documents[-1]["labels"] == pv.load(model).predict(last, top=1).to_json()["labels"]
    summary("camera2", len(frames), outcome.err)


def test_a_camera_and_sources_contradict_each_other(model, clip):
    outcome = pocketvision("predict", model, clip, "--camera", 0)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"BadOption: --camera 0 and '{clip}' ") and " Try: " in outcome.err


def test_nothing_to_look_at(model):
    outcome = pocketvision("predict", model)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("BadOption: ") and " Try: " in outcome.err


@pytest.mark.parametrize("look", ["video", "camera"])
def test_without_the_extra_nothing_is_answered(look, model, clip, cat, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    words = (cat, clip) if look == "video" else ("--camera", 0)
    outcome = pocketvision("predict", model, *words, "--csv")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("MissingExtra: ") and "'av'" in outcome.err
    assert "Try: pip install 'pocketvision[video]'" in outcome.err
    assert pocketvision("predict", model, cat).code == 0


def test_a_live_line_on_a_terminal(model, clip):
    """The line is drawn again and again in its place; the summary stays."""
    reading, writing = pty.openpty()
    terminal = {"TERM": "xterm", "COLUMNS": "150", "LINES": "20"}
    job = start_program("predict", model, clip, "--top", 2, stdout=writing, env=ONE_THREAD | terminal)
    os.close(writing)
    drawn = b""
    try:
        while part := os.read(reading, 4096):
            drawn += part
    except OSError:  # Linux's way to say that nobody holds the other end any more
        pass
    os.close(reading)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 0
    summary(clip, 12, err)
    assert re.search(r"(cat|coffee|rocket) [01]\.\d{3}  (cat|coffee|rocket) [01]\.\d{3}  \d", drawn.decode())
    assert f"{clip}, frame 11, 0.4 s" in drawn.decode()
    assert "image  label" not in drawn.decode()


ENDLESS = """
import sys
from pocketvision.cli.app import main
from pocketvision.run import video

clip = sys.argv.pop(1)

def read_camera(number):
    while True:
        yield from video.read_frames(clip)

video.read_camera = read_camera
main()
"""


def test_ctrl_c_is_the_way_to_stop_a_camera(model, clip):
    words = [sys.executable, "-W", "error", "-c", ENDLESS, clip, "predict", model, "--camera", "0", "--json"]
    # without a buffer: the lines that it would read ahead are lost to communicate
    job = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=ONE_THREAD)
    first = job.stdout.readline()
    job.send_signal(signal.SIGINT)
    rest, err = job.communicate(timeout=60)
    assert job.returncode == 0, err
    documents, err = [json.loads(line) for line in (first + rest).splitlines()], err.decode()
    assert documents[0]["source"] == f"camera0#{documents[0]['frame']}"
    counted = int(err.split()[1])
    assert counted - len(documents) in (0, 1)  # the last one may have been stopped before its line
    summary("camera0", counted, err)


def test_ctrl_c_in_a_video(model, tmp_path):
    """More lines than a pipe holds, so that the job cannot be done before it is stopped."""
    long = write_video(tmp_path / "long.mov", scenes("cat", each=1, size=(16, 16)) * 3000)
    job = start_program("predict", model, long, "--json")
    assert json.loads(job.stdout.readline())["frame"] == 0
    job.send_signal(signal.SIGINT)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 130
    assert err.startswith("Interrupted: ") and len(err.splitlines()) == 1
