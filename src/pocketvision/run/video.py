"""Frames of video files and cameras, as arrays that `Predictor.predict` takes like any other image.

    clip.mp4 ────► read_frames ──────────────────► Frame(index, seconds, image)
    /dev/video0 ─► read_camera ─► Camera: newest ─► Frame(index, seconds, image)

PyAV, which decodes, is the extra `video`; it is imported by what needs it, so that this module loads without it.
Why PyAV: decisions/0007-video-library.md
"""

import errno
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadVideo, missing_extra

# A file given with one of these is read as a video
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"})
DEVICE = "/dev/video{}"
CAMERA_FORMAT = "v4l2"  # Video4Linux, version 2
BROKEN_FRAMES = 30  # in a row, that a camera may give; USB cameras often start with some


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video or a camera.

    Args:
        index: its place, from 0.
        seconds: since the first frame.
        image: (H, W, 3) uint8, RGB, upright.
    """

    index: int
    seconds: float
    image: NDArray[np.uint8]


Read = Callable[[int], Generator[Frame, None, None]]  # camera's number -> its frames, as they come


def is_video(source: object) -> bool:
    """Whether a source is the path of a video, by its suffix.

    >>> is_video("clip.MP4"), is_video("cat.jpg"), is_video(b"...")
    (True, False, False)
    """
    return isinstance(source, str | Path) and Path(source).suffix.lower() in VIDEO_SUFFIXES


def import_av() -> Any:
    """Return PyAV.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise missing_extra(error, "video") from error
    return av


def read_frames(path: str | Path) -> Generator[Frame, None, None]:
    """Yield all frames of a video file in the order of display.

    Rotation by quarter turns, which phones record for upright videos, is applied; mirroring is not.

    Raises:
        BadVideo: there is no such file, it is not a video, has no pictures, or is truncated.
        MissingExtra: the extra `video` is not installed.
    """
    done, start = 0, None
    with _opened(path) as container:
        try:
            for frame in _decode(container, patience=0):
                start = frame.time if done == 0 else start
                yield Frame(done, _seconds(frame, start, done, container), _upright(frame))
                done += 1
        except import_av().error.FFmpegError as error:
            raise BadVideo(
                f"{path}: cannot be decoded after {done} frames: {error.strerror}.",
                "a video player; if that stops there too, fetch the file again",
            ) from error
    if done == 0:
        raise BadVideo(f"{path}: is a video without a single frame.", "record or fetch it again")


def read_camera(number: int = 0) -> Generator[Frame, None, None]:
    """Yield the frames of camera N, /dev/videoN, as they come, until the generator is closed.

    Broken frames are skipped. Seconds are by this machine's clock: not all drivers give times.

    Raises:
        BadVideo: there is no such camera, it must not be opened, is in use, or stops.
        MissingExtra: the extra `video` is not installed.
    """
    av = import_av()
    try:
        container = av.open(DEVICE.format(number), format=CAMERA_FORMAT)
    except (av.error.FFmpegError, ValueError) as error:
        raise camera_error(number, error) from error
    start = None
    with container:
        try:
            for index, frame in enumerate(_decode(container, patience=BROKEN_FRAMES)):
                now = time.monotonic()
                start = now if start is None else start
                yield Frame(index, now - start, _upright(frame))
        except av.error.FFmpegError as error:
            raise camera_error(number, error) from error


class Camera:
    """The newest frame of a camera, whenever one is asked for.

    A thread reads all frames and keeps the last one: a slow reader sees the present, not a queue of old frames.

    with Camera(0) as camera:
        for frame in camera:
            print(model.predict(frame.image).top)

    Args:
        number: N of /dev/videoN.
        read: opens that camera and yields its frames; None reads it with `read_camera`.
        patience: seconds to wait for a frame.

    Raises:
        BadVideo: on the next frame: as `read_camera`, or no frame came.
        MissingExtra: the extra `video` is not installed.
    """

    def __init__(self, number: int = 0, read: Read | None = None, patience: float = 10.0) -> None:
        self.number = number
        self._read = read or read_camera
        self._patience = patience
        self._news = Condition()
        self._newest: Frame | None = None
        self._error: Exception | None = None
        self._is_over = self._is_closed = False
        self._thread = Thread(target=self._watch, name=f"camera {number}", daemon=True)

    def __enter__(self) -> "Camera":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._thread.join(timeout=2.0)  # a driver that hangs is left behind: the thread is a daemon

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        with self._news:
            self._news.wait_for(lambda: self._newest is not None or self._is_over, self._patience)
            frame, self._newest = self._newest, None
        if frame is not None:
            return frame
        if self._error is not None:
            raise self._error
        if self._is_over:
            raise StopIteration
        raise BadVideo(
            f"camera {self.number}: is open, but gave no frame for {self._patience:g} seconds.",
            "unplug it and plug it in, or another number from ls /dev/video*",
        )

    def _watch(self) -> None:
        """Read until closed, in the thread. An error is raised on the next frame."""
        try:
            with closing(self._read(self.number)) as frames:
                for frame in frames:
                    with self._news:
                        self._newest = frame
                        self._news.notify_all()
                    if self._is_closed:
                        break
        except Exception as error:
            self._error = error
        with self._news:
            self._is_over = True
            self._news.notify_all()


def camera_error(number: int, error: Exception) -> BadVideo:
    """Return the error for a camera that cannot be opened or has stopped."""
    device = DEVICE.format(number)
    if isinstance(error, FileNotFoundError):
        return BadVideo(
            f"camera {number}: there is no {device}.", "ls /dev/video*, then --camera with a number that is there"
        )
    if isinstance(error, PermissionError):
        return BadVideo(
            f"camera {number}: not permitted to open {device}; members of the group 'video' are.",
            "sudo usermod -aG video $USER, then log in again",
        )
    if getattr(error, "errno", None) == errno.EBUSY:
        return BadVideo(f"camera {number}: another program is using {device}.", "close that program")
    if "no container format" in str(error):  # PyAV's words; its builds for other systems have no Video4Linux
        return BadVideo(
            f"camera {number}: cameras are read through Video4Linux, which PyAV does not have here.",
            "Linux, or a video file",
        )
    reason = getattr(error, "strerror", None) or error
    return BadVideo(
        f"camera {number}: {device} cannot be read as a camera: {reason}.", "another number from ls /dev/video*"
    )


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """Give the opened file, which holds pictures."""
    av = import_av()
    try:
        container = _open(f"file:{path}")  # a name with a colon is not a protocol
    except FileNotFoundError as error:
        raise BadVideo(f"{path}: no such file.", "the path of a video that exists") from error
    except av.error.FFmpegError as error:
        raise BadVideo(
            f"{path}: cannot be read as a video: {error.strerror}.",
            "a video player; if that cannot show it either, fetch the file again or take it out",
        ) from error
    with container:
        if not container.streams.video:
            raise BadVideo(f"{path}: has no pictures, only sound or text.", "another file")
        container.streams.video[0].thread_type = "AUTO"  # decodes ahead while the network runs
        yield container


def _open(address: str) -> Any:
    av = import_av()
    try:
        return av.open(address)
    except UnicodeDecodeError:  # a title in an old encoding, which PyAV before version 19 decodes on opening
        return av.open(address, metadata_errors="replace")


def _decode(container: Any, patience: int) -> Iterator[Any]:
    """Yield PyAV's frames; up to `patience` packets in a row may be broken."""
    broken = 0
    for packet in container.demux(video=0):
        try:
            frames = packet.decode()
        except import_av().error.InvalidDataError:
            broken += 1
            if broken > patience:
                raise
            continue
        broken = 0
        yield from frames


def _seconds(frame: Any, start: float | None, index: int, container: Any) -> float:
    """Return the time since the first frame, by the frames' own times or, without them, by the rate."""
    if frame.time is not None and start is not None:
        return float(frame.time - start)
    rate = container.streams.video[0].average_rate
    return float(index / rate) if rate else 0.0


def _upright(frame: Any) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB; the frame's rotation is in degrees, counterclockwise."""
    image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
