"""pocketvision predict: labels for images, videos, and what a camera sees."""

import sys
from collections.abc import Callable, Generator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

from pocketvision.cli.output import print_json, print_line
from pocketvision.errors import BadImage, BadOption, InputError
from pocketvision.events import Progress, drain

Write = Callable[..., None]  # (source's name, its Labels, its Frame if it is one)
FRAME = "#123456"  # what follows a video's name, for the width of a table


def predict(
    file: Annotated[Path, Argument(help="A model file that pocketvision fit wrote.")],
    sources: Annotated[
        list[str] | None,
        Argument(help="Images, videos, folders of images, or - for one image's bytes from stdin.", show_default=False),
    ] = None,
    camera: Annotated[int | None, Option(help="Look through camera N, /dev/videoN, until Ctrl-C.", min=0)] = None,
    top: Annotated[int, Option(help="Labels per image.", min=1)] = 1,
    batch: Annotated[int, Option(help="Images in one call of the network; frames go one by one.", min=1)] = 32,
    threads: Annotated[int | None, Option(help="Threads for one call. [default: all cores]", min=1)] = None,
    json: Annotated[bool, Option("--json", help="One JSON document per line.")] = False,
    csv: Annotated[bool, Option("--csv", help="Comma-separated, with a header.")] = False,
    engine: Annotated[str, Option(help="onnxruntime, openvino, or auto: the fastest of those installed.")] = "auto",
    embed: Annotated[
        bool,
        Option("--embed", help="Write each image's pooled features instead of labels, one JSON document per line."),
    ] = False,
) -> None:
    """Label images or frames. A source that cannot be read is reported on stderr; the others are answered."""
    from pocketvision.run.predictor import Predictor
    from pocketvision.run.video import import_av, is_video

    _check(sources, camera, json, csv)
    model = Predictor.open(file, threads, engine=engine)
    found, code = _expand(sources or [])
    if embed:
        if code := _answer_images(found, model, 1, batch, _features) or code:
            raise Exit(code)
        return
    top = min(top, len(model.record.labels))
    if camera is not None or any(map(is_video, found)):
        import_av()  # raises, before anything is answered, if it is missing
    names = [_name(source) + (FRAME if is_video(source) else "") for source in found] or [f"camera{camera}{FRAME}"]
    write = _json if json else _csv(top) if csv else _table(names, model.record.labels, top)
    write_frame = None if sys.stdout.isatty() and not (json or csv) else write  # None: a live line
    if camera is not None:
        from pocketvision.cli.live import watch_camera

        watch_camera(camera, model, top, write_frame)
    elif code := _answer_all(found, model, top, batch, write, write_frame) or code:
        raise Exit(code)


def _check(sources: list[str] | None, camera: int | None, json: bool, csv: bool) -> None:
    if json and csv:
        raise BadOption("--json and --csv contradict each other: one form of output at a time.", "one of the two")
    if sources and camera is not None:
        raise BadOption(
            f"--camera {camera} and {sources[0]!r} contradict each other: a camera is looked through until Ctrl-C.",
            "one of the two",
        )
    if not sources and camera is None:
        raise BadOption(
            "nothing to look at: neither an image, a video nor a folder is given, and no --camera.",
            "the path of an image behind the model file, or --camera 0",
        )


def _answer_all(found: list[Any], model: Any, top: int, batch: int, write: Write, write_frame: Write | None) -> int:
    """Answer images in batches and videos frame by frame, in the order given; return the exit code."""
    from pocketvision.run.video import is_video

    def write_labels(answer: Any) -> None:
        write(_name(answer.source), answer.labels)

    codes = [
        _answer_videos(some, model, top, write_frame)
        if are_videos
        else _answer_images(list(some), model, top, batch, write_labels)
        for are_videos, some in groupby(found, is_video)
    ]
    return next((code for code in reversed(codes) if code), 0)


def _answer_images(images: list[Any], model: Any, top: int, batch: int, write: Callable[[Any], None]) -> int:
    """Write the answer for each image; list on stderr, at the end, those that cannot be read. Return the exit code."""
    unread: list[Any] = []
    work = _stream(images, model, top, batch, write, unread)
    try:
        if len(images) > batch and not sys.stdout.isatty():  # else the lines show the progress, or it is done at once
            from pocketvision.cli.progress import watch

            watch(work)
        else:
            drain(work)
    finally:
        codes = [_report(error) for error in unread]
        if len(unread) > 1:
            sys.stderr.write(f"{len(unread):,} of {len(images):,} images could not be read.\n")
    return max(codes, default=0)


def _stream(
    images: list[Any], model: Any, top: int, batch: int, write: Callable[[Any], None], unread: list[Any]
) -> Generator[Any, None, None]:
    for number, answer in enumerate(model.stream(images, top, batch), start=1):
        if answer.error is None:
            write(answer)
        else:
            unread.append(answer.error)
        if number % batch == 0:
            yield Progress("answering", number, len(images))


def _answer_videos(paths: Any, model: Any, top: int, write_frame: Write | None) -> int:
    from pocketvision.cli.live import watch_video

    code = 0
    for path in paths:
        try:
            watch_video(path, model, top, write_frame)
        except InputError as error:
            code = _report(error)
    return code


def _report(error: Any) -> int:
    """Write the error to stderr; return its exit code."""
    sys.stdout.flush()
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return int(error.exit_code)


def _expand(sources: list[str]) -> tuple[list[Any], int]:
    """Return each image: files as they are, folders' images in order, stdin's bytes; and the exit code so far."""
    from pocketvision.run.image_files import image_files
    from pocketvision.run.predictor import is_folder

    found: list[Any] = []
    code = 0
    for source in sources:
        if source == "-":
            found.append(sys.stdin.buffer.read() if sys.stdin is not None else b"")  # None: it is closed
        elif is_folder(source):
            try:
                found += map(str, image_files(source))  # a Path caches its parts, and grows
            except BadImage as error:
                code = _report(error)
        else:
            found.append(source)
    return found, code


def _name(source: Any) -> str:
    return "-" if isinstance(source, bytes) else str(source)


def _json(name: str, labels: Any, frame: Any = None) -> None:
    """Write one image's or frame's labels as a line of JSON."""
    place = {} if frame is None else {"frame": frame.index, "seconds": round(frame.seconds, 3)}
    print_json({"source": name} | place | labels.to_json(), indent=None)


def _features(answer: Any) -> None:
    """Write one image's features as a line of JSON."""
    from pocketvision.run.predictor import features_of

    row = features_of(answer.outputs)
    print_json({"source": _name(answer.source), "features": [float(f"{value:.6g}") for value in row]}, indent=None)


def _csv(top: int) -> Write:
    """Write the header; return the function that writes one image's labels."""
    import csv

    rows = csv.writer(sys.stdout, lineterminator="\n")
    columns = [part for rank in range(1, top + 1) for part in (f"label_{rank}", f"probability_{rank}")]
    rows.writerow(["source", "unknown", *columns])

    def write(name: str, labels: Any, frame: Any = None) -> None:
        cells = [cell for label in labels for cell in (label.name, f"{label.probability:.6f}")]
        rows.writerow([name, str(labels.unknown).lower(), *cells])

    return write


def _table(sources: list[str], names: tuple[str, ...], top: int) -> Write:
    """Return the function that writes one image's labels, and the header above the first; column widths are fixed."""
    first, column = max(5, *map(len, sources)), max(5, *map(len, names))
    header = [f"{'image':{first}}" + f"  {'label':{column}}  prob." * top]

    def write(name: str, labels: Any, frame: Any = None) -> None:
        if header:
            print_line(header.pop())
        cells = "".join(f"  {label.name:{column}}  {label.probability:.3f}" for label in labels)
        print_line(f"{name:{first}}{cells}{'  unknown' if labels.unknown else ''}")

    return write
