import errno
import subprocess
import sys
from itertools import islice
from threading import Event

import av
import numpy as np
import pytest

from pocketvision.errors import BadVideo, MissingExtra
from pocketvision.run import video as module
from pocketvision.run.predictor import Predictor
from pocketvision.run.video import VIDEO_SUFFIXES, Camera, camera_error, import_av, is_video, read_camera, read_frames
from refusals import check, refused
from videos import LOSSLESS, ask_to_turn, break_frames, scenes, write_video

FRAMES = scenes("cat", "coffee")  # twelve frames of two scenes
CODECS = {
    ".mp4": ("libx264", "yuv420p"),
    ".avi": ("mjpeg", "yuvj420p"),
    ".mov": ("mpeg4", "yuv420p"),
    ".mkv": ("ffv1", "bgr0"),
    ".webm": ("libvpx-vp9", "yuv420p"),
    ".m4v": ("mpeg4", "yuv420p"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mov", FRAMES)


@pytest.fixture
def device(monkeypatch):
    """Let a video file, or any other, be the device of camera 0."""

    def plug_in(path, form="mov"):
        monkeypatch.setattr(module, "DEVICE", str(path))
        monkeypatch.setattr(module, "CAMERA_FORMAT", form)

    return plug_in


def test_every_frame_in_order_and_unchanged(clip):
    for path in (clip, str(clip)):
        frames = list(read_frames(path))
        assert [frame.index for frame in frames] == list(range(12))
        assert [round(frame.seconds, 3) for frame in frames] == [round(index / 25, 3) for index in range(12)]
        for frame, image in zip(frames, FRAMES, strict=True):
            assert frame.image.dtype == np.uint8
            assert np.array_equal(frame.image, image)


def test_a_frame_is_answered_as_the_image_that_it_is(exported, clip):
    model = Predictor.open(exported.path, threads=1)
    answers = [model.predict(frame.image) for frame in read_frames(clip)]
    assert answers == [model.predict(image) for image in FRAMES]
    assert answers[0] != answers[11]


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
def test_red_is_red_in_every_container(suffix, tmp_path):
    """Also where a row of pixels is no multiple of what codecs like."""
    red = np.zeros((66, 98, 3), np.uint8)
    red[:, :, 0] = 255
    red[:, 49:] = (0, 0, 255)
    path = write_video(tmp_path / f"clip{suffix}", [red] * 3, *CODECS[suffix])
    frames = list(read_frames(path))
    assert len(frames) == 3
    for frame in frames:
        assert frame.image.shape == (66, 98, 3)
        assert np.abs(frame.image[33, 20] - np.array([255, 0, 0])).max() < 8
        assert np.abs(frame.image[33, 80] - np.array([0, 0, 255])).max() < 8


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, -1), (180, 2), (270, 1)])
def test_a_phones_video_is_turned_upright(degrees, turns, tmp_path):
    path = ask_to_turn(write_video(tmp_path / "phone.mov", FRAMES[:2]), degrees)
    for frame, image in zip(read_frames(path), FRAMES, strict=False):
        assert np.array_equal(frame.image, np.rot90(image, turns))
        assert frame.image.flags.c_contiguous


def test_times_by_the_rate_where_frames_have_none(tmp_path):
    path = write_video(tmp_path / "raw.h264", FRAMES, "libx264", "yuv420p")  # pictures without a container
    with av.open(str(path)) as file:
        assert [frame.time for frame in file.decode(video=0)] == [None] * 12
    assert [round(frame.seconds, 2) for frame in read_frames(path)] == [round(index / 25, 2) for index in range(12)]


def test_a_name_with_a_colon_is_no_address(tmp_path):
    assert len(list(read_frames(write_video(tmp_path / "http:12:30.mov", FRAMES)))) == 12


def test_a_title_in_an_old_encoding(tmp_path):
    path = tmp_path / "clip.mov"
    with av.open(str(path), "w") as file:
        file.metadata["title"] = "Cafe"
        stream = file.add_stream(LOSSLESS[0], rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, LOSSLESS[1]
        file.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
    path.write_bytes(path.read_bytes().replace(b"Cafe", b"Caf\xe9"))
    assert len(list(read_frames(path))) == 1


def test_what_is_a_video():
    assert [is_video(source) for source in ("a.mp4", "a/B.MKV", "a.jpg", "mp4", b"a.mp4", "-")] == [1, 1, 0, 0, 0, 0]


def read_all(path):
    return list(read_frames(path))


def test_no_such_video(tmp_path):
    path = tmp_path / "clip.mp4"
    with refused(BadVideo, path):
        read_all(path)


@pytest.mark.parametrize("content", [b"a letter, not a video\n" * 50, b"", None])
def test_a_file_that_is_no_video(content, clip, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes()[:40] if content is None else content)
    with refused(BadVideo, path, "cannot be read", attempt="a video player"):
        read_all(path)


def test_sound_alone(tmp_path):
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        file.mux(stream.encode(sound))
        file.mux(stream.encode())
    with refused(BadVideo, path, "sound"):
        read_all(path)


def test_a_video_without_a_frame(tmp_path):
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        file.start_encoding()
    with refused(BadVideo, path, "frame"):
        read_all(path)


def test_a_video_that_breaks_off(tmp_path):
    path = break_frames(write_video(tmp_path / "clip.mov", FRAMES), 7)
    assert len(list(islice(read_frames(path), 5))) == 5
    with refused(BadVideo, path, "decoded after", attempt="a video player"):
        read_all(path)


def test_a_camera_gives_its_frames(clip, device):
    device(clip)
    frames = list(read_camera(0))
    assert [frame.index for frame in frames] == list(range(12))
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, FRAMES, strict=True))
    seconds = [frame.seconds for frame in frames]
    assert seconds[0] == 0
    assert seconds == sorted(seconds)


def test_a_cameras_broken_frames_are_skipped(tmp_path, device):
    device(break_frames(write_video(tmp_path / "clip.mov", FRAMES), 0, 1, 5))
    expected = [image for number, image in enumerate(FRAMES) if number not in (0, 1, 5)]
    frames = list(read_camera(0))
    assert [frame.index for frame in frames] == list(range(9))
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, expected, strict=True))


def test_a_camera_that_only_gives_broken_frames(tmp_path, device):
    device(break_frames(write_video(tmp_path / "clip.mov", FRAMES * 4), *range(2, 48)))
    with refused(BadVideo, "camera 0", "clip.mov", "Invalid data"):
        list(read_camera(0))


@pytest.mark.parametrize(
    ("path", "form", "named", "attempt"),
    [
        ("/dev/no-video", "v4l2", ("/dev/no-video",), "ls /dev/video*"),
        ("/dev/null", "v4l2", ("/dev/null", "Inappropriate ioctl"), "ls /dev/video*"),
        ("/dev/video0", "v4l3", ("Video4Linux",), "Linux"),
    ],
)
def test_what_is_no_camera(path, form, named, attempt, device):
    device(path, form)
    with refused(BadVideo, "camera 0", *named, attempt=attempt):
        next(read_camera(0))


@pytest.mark.parametrize(
    ("error", "named", "attempt"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), ("'video'",), "sudo usermod -aG video $USER"),
        (OSError(errno.EBUSY, "Device or resource busy"), ("another program",), "close"),
        (OSError(errno.ENODEV, "No such device"), ("No such device",), "ls /dev/video*"),
    ],
)
def test_what_the_system_says_about_a_camera(error, named, attempt):
    check(camera_error(1, error), BadVideo, "camera 1", "/dev/video1", *named, attempt=attempt)


class SlowLook:
    """A camera that gives one frame, and the other eleven while that one is being looked at."""

    def __init__(self, clip):
        self.clip, self.looking, self.gave_all, self.closed = clip, Event(), Event(), Event()

    def read(self, number):
        try:
            for frame in read_frames(self.clip):
                if frame.index == 1:
                    self.looking.wait()
                yield frame
            self.gave_all.set()
        finally:
            self.closed.set()


def test_whoever_is_slow_sees_the_newest_frame(clip):
    slow = SlowLook(clip)
    with Camera(0, slow.read) as camera:
        first = next(camera)
        slow.looking.set()
        slow.gave_all.wait()
        rest = list(camera)
    assert (first.index, [frame.index for frame in rest]) == (0, [11])
    assert np.array_equal(first.image, FRAMES[0])
    assert np.array_equal(rest[0].image, FRAMES[11])
    assert slow.closed.is_set()


def test_nobody_sees_a_frame_twice_or_an_older_one(clip):
    with Camera(0, lambda number: read_frames(clip)) as camera:
        seen = [frame.index for frame in camera]
    assert seen == sorted(set(seen))
    assert seen[-1] == 11


def test_leaving_closes_the_camera():
    closed = Event()

    def endless(number):
        try:
            while True:
                yield module.Frame(0, 0.0, FRAMES[0])
        finally:
            closed.set()

    with Camera(3, endless) as camera:
        assert next(camera).index == 0
    assert closed.is_set()
    assert not camera._thread.is_alive()


def test_a_cameras_error_reaches_whoever_looks(clip):
    def unplugged(number):
        yield next(read_frames(clip))
        raise camera_error(number, OSError(errno.ENODEV, "No such device"))

    with Camera(2, unplugged) as camera, refused(BadVideo, "camera 2", "No such device"):
        for frame in camera:
            assert frame.index == 0


def test_no_such_camera():
    with Camera(63) as camera, refused(BadVideo, "camera 63", "/dev/video63"):
        next(camera)


def test_a_camera_that_is_silent():
    done = Event()

    def silent(number):
        done.wait()
        yield from ()

    with Camera(0, silent, patience=0.01) as camera:
        with refused(BadVideo, "camera 0", "0.01 seconds"):
            next(camera)
        done.set()


def test_without_the_extra(clip, monkeypatch):
    assert import_av() is av
    monkeypatch.setitem(sys.modules, "av", None)
    for needs in (import_av, lambda: next(read_frames(clip)), lambda: next(read_camera()), lambda: look_once()):
        with refused(MissingExtra, "'av'", attempt="pip install 'pocketvision[video]'"):
            needs()


def look_once():
    with Camera() as camera:
        next(camera)


def test_the_module_is_imported_without_the_library():
    program = "import sys; sys.modules['av'] = None; import pocketvision.run.video; print('fine')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")
