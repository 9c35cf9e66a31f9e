"""A folder of photographs with everything that goes wrong in such folders, one trouble a file (issue 4, line 3)."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from photographs import crop, encoded, jpeg, turned

EACH = 12  # whole photographs of each class and part
CLASSES = ("cat", "coffee")
LONG = "x" * 246 + ".jpg"  # 250 characters
EMOJI = "whiskers \N{CAT FACE}.jpg"
TRAILING = "cat "


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def readable() -> dict[str, tuple[str, bytes]]:
    """Return what is odd and can be read, by its name: the suffix and the content."""
    photo = crop("cat", 100)
    deep = (np.arange(80 * 90, dtype=np.uint32).reshape(80, 90) * 9 % 65536).astype(np.uint16)
    ink = Image.merge(
        "CMYK", [channel.resize((64, 64)) for channel in (*photo.split(), photo.convert("L").point(lambda v: v // 3))]
    )
    palette = photo.quantize(32)
    frames = [Image.new("P", (50, 40), number) for number in (0, 1)]
    for frame in frames:
        frame.putpalette([200, 30, 60, 10, 220, 90] + [0] * 762)
    frames[0].paste(1, (10, 5, 30, 25))
    return {
        "ink": (".jpg", encoded(ink, "JPEG", quality=95)),
        "deep": (".png", encoded(Image.fromarray(deep), "PNG")),
        "palette": (".png", encoded(palette, "PNG", transparency=bytes([0, 128] + [255] * 30))),
        "animation": (".gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)),
        "turned": turned(crop("cat", 101)),
    }


def broken() -> dict[str, bytes]:
    """Return what cannot be read, by its file name."""
    photo = jpeg(crop("cat", 102))[1]
    huge = Image.new("1", (20_000, 20_000), 1)
    return {
        "truncated.jpg": photo[: len(photo) // 2],
        "text.png": b"this is no picture at all",
        "nothing.jpg": b"",
        "huge.png": encoded(huge, "PNG"),
        "bomb.png": bomb(60_000),
        "float.tiff": encoded(Image.fromarray(np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)), "TIFF"),
    }


def write_troubles(root: Path) -> Path:
    """Write train/ and test/ with two classes of photographs, and all troubles into train/cat and beside it."""
    for part, first in (("train", 0), ("test", 50)):
        for name in CLASSES:
            (root / part / name).mkdir(parents=True)
            for number in range(first, first + EACH):
                suffix, content = jpeg(crop(name, number))
                (root / part / name / f"{number:03}{suffix}").write_bytes(content)
    cats = root / "train" / "cat"
    for name, (suffix, content) in readable().items():
        (cats / f"{name}{suffix}").write_bytes(content)
    for name, content in broken().items():
        (cats / name).write_bytes(content)
    (root / "train" / "dog").mkdir()  # empty
    (root / "test" / "cat" / "exact.jpg").write_bytes((cats / "000.jpg").read_bytes())
    near = crop("cat", 1).resize((64, 64))
    (root / "test" / "cat" / "near.jpg").write_bytes(encoded(near, "JPEG", quality=60))
    (cats / "round").symlink_to(root / "train")
    (cats / LONG).write_bytes(jpeg(crop("cat", 103))[1])
    (cats / EMOJI).write_bytes(jpeg(crop("cat", 104))[1])
    (root / "train" / TRAILING).mkdir()
    (root / "train" / TRAILING / "1.jpg").write_bytes(jpeg(crop("cat", 105))[1])
    (root / "train" / TRAILING / "2.jpg").write_bytes(jpeg(crop("cat", 106))[1])
    return root


def listing(root: Path) -> dict[Path, bytes | None]:
    """Return the content of every file below a folder, None for links to none, to see that nothing was touched."""
    files = [Path(folder) / name for folder, _, names in os.walk(root) for name in names]
    return {file: file.read_bytes() if file.is_file() else None for file in files}
