"""Labels for the frames of videos and cameras: one live line on a terminal, one line for each frame elsewhere."""

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, nullcontext

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pocketvision.run.predictor import Predictor
from pocketvision.run.results import Labels
from pocketvision.run.video import Camera, Frame, read_frames
from pocketvision.text import plural

Write = Callable[[str, Labels, Frame], None]  # writes one frame's answer; its source is named clip.mp4#7


def watch_video(path: str, model: Predictor, top: int, write: Write | None) -> None:
    """Answer every frame of a video file.

    Args:
        path: the file.
        model: what answers.
        top: labels for each frame.
        write: for each frame; None draws a live line instead.

    Raises:
        BadVideo: the file cannot be read, or is truncated.
    """
    tally = Tally(path)
    with closing(read_frames(path)) as frames:
        _answer(frames, model, top, write, tally)
    sys.stderr.write(f"{tally}\n")


def watch_camera(number: int, model: Predictor, top: int, write: Write | None) -> None:
    """Answer the newest frame of a camera, again and again, until Ctrl-C, which is no failure.

    Args:
        number: N of /dev/videoN.
        model: what answers.
        top: labels for each frame.
        write: for each frame; None draws a live line instead.

    Raises:
        BadVideo: there is no such camera, or it stops.
    """
    tally = Tally(camera_name(number))
    try:
        with Camera(number) as camera:
            _answer(camera, model, top, write, tally)
    except KeyboardInterrupt:
        pass
    sys.stderr.write(f"{tally}\n")


def camera_name(number: int) -> str:
    """Return the name of a camera in the output.

    >>> camera_name(0)
    'camera0'
    """
    return f"camera{number}"


def _answer(frames: Iterable[Frame], model: Predictor, top: int, write: Write | None, tally: "Tally") -> None:
    """Answer each frame alone: a batch would wait for more frames."""
    rate = Rate()
    with _live_line() if write is None else nullcontext() as line:
        for frame in frames:
            labels = model.predict(frame.image, top)
            now = time.monotonic()
            tally.add(labels.top.name, now)
            if write is not None:
                write(f"{tally.name}#{frame.index}", labels, frame)
                sys.stdout.flush()
            elif line is not None:
                text = describe(tally.name, frame, labels, rate.add(now))
                line.update(Text(text, no_wrap=True, overflow="ellipsis"))


def _live_line() -> AbstractContextManager[Live]:
    """Return a line that is drawn ten times a second, independent of the frames, and removed at the end."""
    return Live(Text(""), console=Console(highlight=False), refresh_per_second=10, transient=True)


def describe(name: str, frame: Frame, labels: Labels, frames_per_second: float) -> str:
    """Return the live line.

    >>> from pocketvision.run.results import Label
    >>> labels = Labels([Label("cat", 0.9312, index=0)])
    >>> describe("camera0", Frame(123, 4.1, None), labels, 29.97)
    'cat 0.931  30.0 frames/s  camera0, frame 123, 4.1 s'
    >>> describe("camera0", Frame(123, 4.1, None), Labels(labels, unknown=True), 29.97)
    'unknown, nearest cat 0.931  30.0 frames/s  camera0, frame 123, 4.1 s'
    """
    names = "  ".join(f"{label.name} {label.probability:.3f}" for label in labels)
    unknown = "unknown, nearest " if labels.unknown else ""
    return f"{unknown}{names}  {frames_per_second:.1f} frames/s  {name}, frame {frame.index:,}, {frame.seconds:.1f} s"


class Rate:
    """Frames a second, over the last second or the last two frames.

    >>> rate = Rate()
    >>> [rate.add(now) for now in (0.0, 0.5, 1.0, 1.25, 1.5, 9.5)]
    [0.0, 2.0, 2.0, 2.6666666666666665, 3.0, 0.125]
    """

    def __init__(self, window: float = 1.0) -> None:
        self._window = window
        self._times: deque[float] = deque()

    def add(self, now: float) -> float:
        """Count a frame that was finished at this time, in seconds; return the rate."""
        times = self._times
        times.append(now)
        while len(times) > 2 and now - times[0] > self._window:
            times.popleft()
        return _per_second(len(times) - 1, now - times[0])


class Tally:
    """A summary of one source, for its last line.

    >>> print(Tally("camera0"))
    camera0: no frame was answered
    >>> tally = Tally("clip.mp4")
    >>> for label, now in (("cat", 10.0), ("dog", 10.5), ("cat", 11.0)):
    ...     tally.add(label, now)
    >>> print(tally)
    clip.mp4: 3 frames, 2.0 frames/s, mostly cat (2 of 3)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._labels: Counter[str] = Counter()
        self._first = self._last = 0.0

    def add(self, label: str, now: float) -> None:
        """Count one frame's likeliest label and the time when it was finished, in seconds."""
        self._first = self._first if self._labels else now
        self._last = now
        self._labels[label] += 1

    def __str__(self) -> str:
        count = self._labels.total()
        if count == 0:
            return f"{self.name}: no frame was answered"
        label, times = self._labels.most_common(1)[0]
        rate = _per_second(count - 1, self._last - self._first)
        frames = plural(count, "frame")
        return f"{self.name}: {frames}, {rate:.1f} frames/s, mostly {label} ({times:,} of {count:,})"


def _per_second(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
