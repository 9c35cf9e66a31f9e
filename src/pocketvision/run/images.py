"""From a file, bytes, Pillow image or array to the uint8 array that a network reads.

The only place where pixels are decoded, turned upright, resized and cropped: training, validation and the device all call
these functions, so that they cannot drift apart.

    source ─► read_image ─► upright 8-bit "RGB" or "L" ─► prepare ─► uint8 (R, R, C)

What `read_image` does with every file: EXIF orientation is applied; the first of several frames is taken; 16-bit grey becomes
8-bit; transparency becomes white (in a BMP not if it is total); CMYK and palettes become RGB; no colour profile is applied.

If the preprocessing record allows `draft`, a large JPEG is decoded at a half, a quarter or an eighth of its size, with sides that
are still at least three to four times those needed.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pocketvision.errors import BadImage, BadOption, PocketvisionError
from pocketvision.run.preprocessing import Preprocessing

Source: TypeAlias = str | Path | bytes | bytearray | BinaryIO | Image.Image | NDArray[Any]

# The allowlist. A file is known by its first bytes, never by its name. The reader's class is called directly, because
# `Image.open` has a pixel limit of its own that warns. MPO is a JPEG with more JPEGs behind it: the first is read.
READERS = (
    (rb"\xff\xd8\xff", JpegImageFile),
    (rb"\x89PNG\r\n\x1a\n", PngImageFile),
    (rb"RIFF....WEBP", WebPImageFile),
    (rb"GIF8[79]a", GifImageFile),
    (rb"BM", BmpImageFile),
    (rb"II[*+]\0|MM\0[*+]", TiffImageFile),
    (rb"P[1-6]\s", PpmImageFile),
)
FORMATS = "JPEG, PNG, WEBP, GIF, BMP, TIFF, PPM, MPO"
MAX_PIXELS = 178_956_970  # half a GiB of RGB; Pillow's own limit, too
_LONGEST_SIDE = 2**24  # Pillow's resize keeps coordinates in float32, exact up to here
_INTERPOLATION = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# EXIF 2.32, tag 0x0112: how the stored picture must be turned to stand upright
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_ATTEMPTS = (
    (IsADirectoryError, "the path of an image in it"),
    (PermissionError, "permission to read it, or take it out"),
    (Exception, "an image viewer; if that cannot show it either, fetch the file again or take it out"),
)


def read_image(source: Source, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode one image and turn it upright.

    Args:
        source: path; the bytes of a file; a file that was opened as "rb", or a BytesIO, from its beginning; a Pillow image (its
            current frame; it is not changed); or a uint8 array of shape (H, W), (H, W, 1), (H, W, 3) in RGB, or (H, W, 4) in
            RGBA.
        max_pixels: width x height above which nothing is decoded. Files are judged by their header.

    Returns:
        A new image of mode "L" if the source has no colour channels (grey of any depth, grey with alpha), else "RGB", also
        for palettes of greys.

    Raises:
        BadImage: not an image of a known format, broken or truncated, too large, or an array of another kind.

    >>> read_image(np.zeros((2, 3, 4), np.uint8)).getpixel((0, 0))  # transparent black lies on white
    (255, 255, 255)
    """
    image = decode(source, max_pixels)[0].copy()  # what was read may be the source itself
    image.info = {}  # its EXIF orientation was applied, and must not be applied again
    return image


def decode(
    source: Source, max_pixels: int = MAX_PIXELS, draft_side: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode one image and turn it upright, as `read_image` does, without needless copies.

    Args:
        source: as `read_image` takes it.
        max_pixels: width x height above which nothing is decoded.
        draft_side: a JPEG file may be decoded at a fraction of its size, with both sides of at least so many pixels; None: not.

    Returns:
        The image, perhaps the source itself; and width and height of the whole picture, upright.

    Raises:
        BadImage: see `read_image`.
    """
    with opened(source, max_pixels) as image:
        width, height = image.size
        if draft_side is not None and image is not source and isinstance(image, JpegImageFile):
            image.draft(image.mode, (draft_side, draft_side))
        image.load()
        orientation = orientation_of(image)
        plain = to_grey_or_rgb(image, name_of(source))
    turn = UPRIGHT.get(orientation)
    upright = plain if turn is None else plain.transpose(turn)
    return upright, (height, width) if orientation >= 5 else (width, height)


def prepare(
    image: Image.Image,
    resolution: int,
    channels: int,
    preprocessing: Preprocessing,
    size: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Bring an upright image to the square that a network reads.

    Colours are converted first (grey by ITU-R 601 luma, Pillow's "L"), then the image is resized once.

    Args:
        image: as `read_image` returns it, mode "RGB" or "L"; it is not changed.
        resolution: side R of the square, in pixels.
        channels: C, 3 for RGB or 1 for grey.
        preprocessing: how the square is filled.
        size: width and height of the whole picture, if the image was decoded at a fraction of it.

    Returns:
        (R, R, C) uint8, writable, sharing no memory with the image.

    Raises:
        BadOption: channels or resolution are out of range.
        BadImage: the image has another mode.

    >>> prepare(Image.new("L", (640, 480), 7), 4, 3, Preprocessing())[0, 0]
    array([7, 7, 7], dtype=uint8)
    """
    _check_square(resolution, channels)
    if image.mode not in ("RGB", "L"):
        raise BadImage(
            f"image of mode {image.mode!r}; prepare takes 'RGB' or 'L', as read_image gives it.", "read_image(image)"
        )
    mode = "RGB" if channels == 3 else "L"
    image = image if image.mode == mode else image.convert(mode)
    square, size = (resolution, resolution), size or image.size
    interpolation = _INTERPOLATION[preprocessing.interpolation]
    if preprocessing.mode == "squash":
        image = image.resize(square, interpolation)
    elif preprocessing.mode == "crop":
        box = _crop_box(size, resolution, preprocessing.crop_fraction)
        across, down = (is_now / was for is_now, was in zip(image.size, size, strict=True))
        here = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        image = image.resize(square, interpolation, here)
    else:
        width, height = (max(1, round(resolution * side / max(size))) for side in size)
        inner = image.resize((width, height), interpolation)
        image = Image.new(mode, square, (preprocessing.fill,) * channels)
        image.paste(inner, ((resolution - width) // 2, (resolution - height) // 2))
    return np.array(image, dtype=np.uint8).reshape(resolution, resolution, channels)


def load_image(source: Source, resolution: int, channels: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Read and prepare one image: (R, R, C) uint8. Arguments and errors are those of `read_image` and `prepare`.

    >>> load_image(np.zeros((28, 28), np.uint8), 32, 1, Preprocessing()).shape
    (32, 32, 1)
    """
    image, size = decode(source, MAX_PIXELS, preprocessing.draft_side(resolution))
    return prepare(image, resolution, channels, preprocessing, size)


def load_images(
    sources: Sequence[Source] | NDArray[Any], resolution: int, channels: int, preprocessing: Preprocessing
) -> NDArray[np.uint8]:
    """Read and prepare a list of images, in order.

    Args:
        sources: N sources as `read_image` takes them, or an array of N images.
        resolution: side R of the squares, in pixels.
        channels: C, 3 for RGB or 1 for grey.
        preprocessing: how the squares are filled.

    Returns:
        (N, R, R, C) uint8.

    Raises:
        BadOption: channels or resolution are out of range.
        BadImage: an image cannot be used (the message counts from 1), or `sources` is one image instead of a list.

    >>> load_images(np.zeros((5, 28, 28), np.uint8), 32, 1, Preprocessing()).shape
    (5, 32, 32, 1)
    """
    _check_square(resolution, channels)
    if isinstance(sources, (str, bytes, Path, Image.Image)):
        raise BadImage(
            f"load_images takes a list of images; got {name_of(sources)} alone.", "load_images([image], ...)"
        )
    images = np.empty((len(sources), resolution, resolution, channels), np.uint8)
    for index, source in enumerate(sources):
        try:
            images[index] = load_image(source, resolution, channels, preprocessing)
        except BadImage as error:
            where = f"image {index + 1} of {len(sources)}: " if len(sources) > 1 else ""
            raise BadImage(f"{where}{error.problem}", error.attempt) from error
    return images


def _crop_box(size: tuple[int, int], resolution: int, crop_fraction: float) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the centre crop, in pixels of the source.

    Resizing only this box gives the same as resizing the whole image and cropping then, without the large image in between,
    which would have 10**9 pixels for a 1 x 60000 strip. Pillow keeps the box in float32, so that at most one value in a
    hundred differs, by a level or two.

    Source: torchvision's Resize(int) then CenterCrop, with which published weights are evaluated: the long side is rounded
    down, the offset to the nearest.

    >>> _crop_box((512, 256), 224, 0.875)
    (144.0, 16.0, 368.0, 240.0)
    """
    short = round(resolution / crop_fraction)
    resized = [short * side // min(size) for side in size]
    starts = [round((side - resolution) / 2) for side in resized]
    left, top = (start * side / new for start, side, new in zip(starts, size, resized, strict=True))
    right, bottom = ((start + resolution) * side / new for start, side, new in zip(starts, size, resized, strict=True))
    return left, top, right, bottom


@contextmanager
def opened(source: object, max_pixels: int) -> Iterator[Image.Image]:
    """Open the source as a Pillow image, pixels not yet read; whatever Pillow raises in the block becomes BadImage."""
    try:
        if isinstance(source, str) and not source:
            raise FileNotFoundError  # Path would take it for the working folder
        content = _content_of(source)
        if isinstance(source, (str, Path)) or content is not None:
            with Path(source).open("rb") if isinstance(source, (str, Path)) else io.BytesIO(content or b"") as file:
                image: Image.Image = _read_header(file, name_of(source))
                _check_size(image.size, max_pixels, name_of(source))
                yield image
        elif isinstance(source, (Image.Image, np.ndarray)):
            image = source if isinstance(source, Image.Image) else _from_array(source)
            _check_size(image.size, max_pixels, name_of(source))
            yield image
        else:
            raise BadImage(
                f"{type(source).__name__} is not an image; a path, the bytes of a file, an open file, a Pillow image or a uint8 "
                "array is needed."
            )
    except (PocketvisionError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise nearly anything at broken files
        if isinstance(error, FileNotFoundError):
            raise BadImage(f"{name_of(source)}: no such file.", "the path of an image that exists") from error
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        attempt = next((attempt for kind, attempt in _ATTEMPTS if isinstance(error, kind)), "")
        raise BadImage(f"{name_of(source)}: cannot be read: {reason}.", attempt) from error


def is_file_object(source: object) -> bool:
    """Tell whether a source is an open file, or something that is read as one.

    >>> is_file_object(io.BytesIO()), is_file_object(b"")
    (True, False)
    """
    return hasattr(source, "read") and not isinstance(source, (str, bytes, Path, Image.Image, np.ndarray))


def _content_of(source: Any) -> bytes | None:
    """Return the bytes of a file that is given as such, or opened; an open file is read from its beginning where it has one."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if not is_file_object(source):
        return None
    if getattr(source, "seekable", lambda: False)():
        source.seek(0)
    content = source.read()
    if not isinstance(content, bytes):
        raise BadImage(f"{name_of(source)} gives {type(content).__name__}, and an image is bytes.", 'open(path, "rb")')
    return content


def _read_header(file: BinaryIO, name: str) -> Image.Image:
    """Open an image file of an allowed format without decoding pixels."""
    start = file.read(16)
    if not start:
        raise BadImage(f"{name}: is empty (0 bytes).", "fetch the file again or take it out")
    for magic, reader in READERS:
        if re.match(magic, start, re.DOTALL):
            file.seek(0)
            return reader(file)
    raise BadImage(
        f"{name}: is not an image of a known format: {FORMATS}.", "convert it to PNG or JPEG, or take it out"
    )


def _from_array(array: NDArray[Any]) -> Image.Image:
    """Check an array and return it as a Pillow image."""
    right = "an image is uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
    if array.dtype != np.uint8:
        white, scaled = (1, "(array * 255).round()") if array.dtype.kind in "fb" else (255, "array")
        raise BadImage(f"array of dtype {array.dtype}; {right}.", f"{scaled}.astype(np.uint8), if {white} is its white")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] > 4
        raise BadImage(
            f"array of shape {array.shape}; {right}.",
            "array.transpose(1, 2, 0)" if first else "one image at a time, or load_images for several",
        )
    if array.size == 0:
        raise BadImage(f"array of shape {array.shape} has no pixels; {right}.")
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _check_size(size: tuple[int, int], max_pixels: int, name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise BadImage(f"{name}: has no pixels ({width} x {height}).")
    if width * height > max_pixels or max(size) > _LONGEST_SIDE:
        raise BadImage(
            f"{name}: {width} x {height} is {width * height:,} pixels; "
            f"at most {max_pixels:,} are decoded, and {_LONGEST_SIDE:,} along a side.",
            "scale it down first, or take it out",
        )


def _check_square(resolution: int, channels: int) -> None:
    if channels not in (1, 3):
        raise BadOption(f"channels is {channels}; a network reads 3 (RGB) or 1 (grey).", "channels=3")
    if resolution < 1:
        raise BadOption(
            f"resolution is {resolution}; it is the side of a square in pixels, at least 1.", "resolution=224"
        )


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, as stored, if there is none or the EXIF block is broken."""
    try:
        orientation = image.getexif().get(0x0112)
    except Exception:  # a broken block says nothing about the picture, which may be whole
        return 1
    return orientation if orientation in tuple(UPRIGHT) else 1


def to_grey_or_rgb(image: Image.Image, name: str) -> Image.Image:
    """Return the image in mode "L" or "RGB", itself if it already is; transparency becomes white."""
    if image.mode.startswith("I"):
        return _to_8_bit(image, name)
    if image.mode == "F":
        raise BadImage(
            f"{name}: holds 32-bit float pixels, and no rule says which value is white; 8 or 16-bit integers are needed.",
            "scale it to 0 to 255 and save it as uint8",
        )
    mode, white = ("L", 255) if image.mode in ("1", "L", "LA", "La") else ("RGB", (255, 255, 255))
    if not is_transparent(image):
        return image if image.mode == mode else image.convert(mode)
    rgba = image.convert("RGBA")
    flat = Image.new(mode, image.size, white)
    flat.paste(rgba.getchannel("R") if mode == "L" else rgba.convert("RGB"), mask=rgba.getchannel("A"))
    return flat


def is_transparent(image: Image.Image) -> bool:
    """Tell whether white shows through an image, its pixels read: it has transparency, and its maker's viewer shows it.

    A BMP of 32 bits whose fourth byte is 0 everywhere has no transparency: Windows and its viewers leave that byte unused.
    """
    if not image.has_transparency_data:
        return False
    return not (
        isinstance(image, BmpImageFile) and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0)
    )


def _to_8_bit(image: Image.Image, name: str) -> Image.Image:
    """Scale 16-bit grey (modes "I;16" and "I") by 255 / 65535 = 1 / 257, rounded."""
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > 65535:
        raise BadImage(
            f"{name}: holds grey values from {values.min()} to {values.max()}; 16-bit grey goes from 0 to 65535.",
            "scale it to 0 to 255 and save it as uint8",
        )
    grey = ((values + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def name_of(source: object) -> str:
    """Return how messages name an image."""
    if isinstance(source, (str, Path)):
        return str(source) or "''"
    if isinstance(name := getattr(source, "name", None), str) and is_file_object(source):
        return name
    return f"image of {len(source):,} bytes" if isinstance(source, (bytes, bytearray)) else type(source).__name__
