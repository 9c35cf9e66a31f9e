"""Facts about an image from one decode, for checking a data set."""

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from pocketvision.run.images import (
    MAX_PIXELS,
    UPRIGHT,
    Source,
    is_transparent,
    name_of,
    opened,
    orientation_of,
    read_image,
    to_grey_or_rgb,
)

EXAMINED_SIDE = 256  # a JPEG is decoded at a fraction of its size, with sides of at least this
_LARGE = 2**25  # pixels; larger images are examined one at a time, whatever the number of threads
_BAND = 2**18  # pixels that are compared at once
_one_large = threading.Lock()


@dataclass(frozen=True)
class Examined:
    """What one decode tells about an image.

    Attributes:
        image: upright, mode "RGB" or "L"; a large JPEG at a half, a quarter or an eighth of its size.
        width, height: of the whole upright image, in pixels.
        form: format by the first bytes, such as "JPEG"; empty for arrays.
        mode: Pillow's mode of the stored pixels, such as "CMYK", "P" or "I;16".
        grey: no colour channels, or all of them equal in every pixel of the whole image.
        turned: its EXIF orientation says that it is not stored upright.
        transparent: it has an alpha channel or a transparent colour.
        animated: it has more frames than the one that is read.
        highest: of its values, where they are 16-bit grey; 0 for other depths.
    """

    image: Image.Image
    width: int
    height: int
    form: str
    mode: str
    grey: bool
    turned: bool
    transparent: bool
    animated: bool
    highest: int


def examine_image(source: Source, max_pixels: int = MAX_PIXELS) -> Examined:
    """Decode an image once, to know whether it can be read and what it is. Arguments and errors are those of `read_image`.

    A JPEG is read to its last byte, but decoded at a fraction of its size: that is faster, and a truncated file still shows. Only
    the whole image proves grey; it is decoded in full if the fraction has no colour.

    >>> examine_image(np.full((4, 6, 3), 9, np.uint8)).grey
    True
    """
    with opened(source, max_pixels) as image:
        width, height = image.size
        mode = image.mode
        if image is not source and isinstance(image, JpegImageFile):
            image.draft(mode, (EXAMINED_SIDE, EXAMINED_SIDE))
        with _in_turn(image.size):
            image.load()
            plain = to_grey_or_rgb(image, name_of(source))
            grey = plain.mode == "L" or _channels_are_equal(plain)
        if grey and plain.mode == "RGB" and plain.size != (width, height):
            with _in_turn((width, height)):
                grey = _channels_are_equal(read_image(source, max_pixels))
        orientation = orientation_of(image)
        turn = UPRIGHT.get(orientation)
        return Examined(
            image=plain if turn is None else plain.transpose(turn),
            width=height if orientation >= 5 else width,
            height=width if orientation >= 5 else height,
            form=image.format or "",
            mode=mode,
            grey=grey,
            turned=turn is not None,
            transparent=is_transparent(image),
            animated=_is_animated(image),
            highest=int(np.asarray(image).max()) if mode.startswith("I") else 0,
        )


def _in_turn(size: tuple[int, int]) -> AbstractContextManager[object]:
    return _one_large if size[0] * size[1] > _LARGE else nullcontext()


def _is_animated(image: Image.Image) -> bool:
    """Whether there is a second frame; a broken one does not count."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # Pillow's readers raise nearly anything at broken files; the first frame has been read
        return False


def _channels_are_equal(image: Image.Image) -> bool:
    """Tell whether red, green and blue are the same everywhere; most images with colour show it in the first band."""
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        band = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
        if not (band == band[..., :1]).all():
            return False
    return True
