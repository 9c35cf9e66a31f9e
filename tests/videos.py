"""Makes short videos of photographs, with the library that reads them."""

import struct
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from photographs import photograph

LOSSLESS = ("png", "rgb24")  # each frame is a PNG: what is read must equal what was written
QUARTER = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # clockwise: a, b, c, d


def write_video(path: Path, images: Sequence[np.ndarray], codec: str = LOSSLESS[0], pixels: str = LOSSLESS[1]) -> Path:
    """Write RGB images as a video of 25 frames a second; the suffix names the container."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
    return path


def scenes(*names: str, each: int = 6, size: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    """Return (64, 96, 3) frames: every photograph in turn, seen by a camera that moves to the right."""
    frames = []
    for name in names:
        whole = photograph(name)
        for step in range(each):
            left = whole.width * step // (4 * each)
            part = whole.crop((left, 0, left + whole.width // 2, whole.height))
            frames.append(np.asarray(part.resize(size)))
    return frames


def ask_to_turn(path: Path, degrees: int) -> Path:
    """Make an MP4 or MOV file ask to be shown turned clockwise, as phones do: by the matrix of its track.

    Source: ISO/IEC 14496-12, track header box: nine numbers behind the version, five 32-bit fields and 16 bytes.
    """
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (number << 16 for number in QUARTER[degrees])
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def break_frames(path: Path, *numbers: int) -> Path:
    """Damage frames of a video that is lossless: a PNG without its signature cannot be decoded."""
    first, *parts = path.read_bytes().split(b"\x89PNG\r\n")
    signs = [b"broken" if number in numbers else b"\x89PNG\r\n" for number in range(len(parts))]
    path.write_bytes(first + b"".join(sign + part for sign, part in zip(signs, parts, strict=True)))
    return path
