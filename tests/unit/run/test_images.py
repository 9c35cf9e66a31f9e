import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFile

from pocketvision.errors import BadArtifact, BadImage, BadOption
from pocketvision.run import examine
from pocketvision.run.examine import examine_image
from pocketvision.run.images import (
    FORMATS,
    MAX_PIXELS,
    load_image,
    load_images,
    prepare,
    read_image,
)
from pocketvision.run.preprocessing import FROM_SCRATCH, Preprocessing
from refusals import refused

SQUASH = Preprocessing()
ORIENTATION = 0x0112
# EXIF 2.32, 0x0112: the upright picture as an operation on the stored array
BY_HAND = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def image_size(source):
    seen = examine_image(source)
    return seen.width, seen.height


def is_grey(source):
    return examine_image(source).grey


def noise(height=20, width=30, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height, width):
    return Image.fromarray(noise(7, 7)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 10))


# --- JPEG at a fraction of its size


@pytest.fixture
def decoded(monkeypatch):
    """The sizes at which files were decoded."""
    sizes = []
    real = ImageFile.ImageFile.load

    def load(image):
        sizes.append(image.size)
        return real(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    return sizes


@pytest.mark.parametrize(
    ("size", "resolution", "size_decoded"),
    [
        ((640, 480), 30, (160, 120)),  # four times 30: an eighth would leave 60
        ((640, 480), 60, (320, 240)),
        ((640, 480), 61, (640, 480)),
        ((640, 90), 16, (640, 90)),  # the short side decides
        ((1001, 999), 62, (251, 250)),
    ],
)
def test_draft_decodes_at_a_fraction_and_means_the_same(decoded, size, resolution, size_decoded):
    file = encoded(smooth(*size[::-1]), "JPEG", quality=95)
    for mode in ("squash", "crop", "letterbox"):
        record = replace(FROM_SCRATCH, mode=mode, crop_fraction=1.0)
        decoded.clear()
        draft = load_image(file, resolution, 3, record)
        assert decoded[0] == size_decoded
        plain = load_image(file, resolution, 3, replace(record, draft=False))
        assert decoded[-1] == size
        assert np.abs(draft.astype(int) - plain).mean() < 1.5, mode


@pytest.mark.parametrize("orientation", [3, 5, 6])
def test_draft_of_a_turned_photograph(decoded, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = encoded(smooth(480, 600), "JPEG", exif=exif)
    for mode in ("squash", "crop", "letterbox"):
        draft = load_image(file, 32, 3, replace(FROM_SCRATCH, mode=mode))
        plain = load_image(file, 32, 3, Preprocessing(mode=mode))
        assert np.abs(draft.astype(int) - plain).mean() < 1.5
    assert set(decoded) >= {(600, 480), (300, 240)}


def test_draft_of_other_sources_changes_nothing(decoded):
    image = smooth(480, 640)
    opened = Image.open(io.BytesIO(encoded(image, "JPEG")))
    for source in (encoded(image, "PNG"), image, np.asarray(image), opened):
        ours, plain = (load_image(source, 16, 3, record) for record in (FROM_SCRATCH, Preprocessing()))
        np.testing.assert_array_equal(ours, plain)
    assert opened.size == (640, 480) and set(decoded) == {(640, 480)}


# --- formats and modes


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_give_the_pixels_from_path_text_bytes_and_image(tmp_path, format):
    array = noise()
    data = encoded(Image.fromarray(array), format, **({"lossless": True} if format == "WEBP" else {}))
    path = tmp_path / "no-suffix"
    path.write_bytes(data)
    for source in (path, str(path), data, Image.open(io.BytesIO(data)), array):
        image = read_image(source)
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), array)


def test_jpeg_and_gif_give_what_pillow_decodes():
    for data in (encoded(smooth(40, 50), "JPEG"), encoded(smooth(40, 50), "GIF")):
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(np.asarray(read_image(data)), expected)


def test_mpo_gives_its_first_picture():
    first, second = smooth(16, 16), Image.new("RGB", (16, 16))
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    np.testing.assert_array_equal(np.asarray(read_image(data)), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("save_all", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_counts(save_all):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if save_all == "WEBP" else {}
    data = encoded(frames[0], save_all, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert read_image(data).getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP", "PPM"])
def test_grey_files_stay_grey_and_become_rgb_by_repetition(format):
    grey = Image.fromarray(noise(channels=1)[..., 0])
    data = encoded(grey, format)
    image = read_image(data)
    assert image.mode == "L"
    rgb = prepare(image, 16, 3, SQUASH)
    np.testing.assert_array_equal(rgb, np.repeat(prepare(image, 16, 1, SQUASH), 3, axis=2))


def test_black_and_white_becomes_0_and_255():
    bits = noise(channels=1)[..., 0] > 127
    np.testing.assert_array_equal(np.asarray(read_image(encoded(Image.fromarray(bits), "PNG"))), bits * 255)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_divided_by_257_and_rounded(format):
    values = np.linspace(0, 65535, 600).round().astype(np.uint16).reshape(20, 30)
    image = read_image(encoded(Image.fromarray(values), format))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), np.rint(values / 257))


def test_16_bit_big_endian_tiff():
    values = np.linspace(0, 65535, 600).round().astype(">u2").reshape(20, 30)
    data = encoded(Image.frombytes("I;16B", (30, 20), values.tobytes()), "TIFF")
    np.testing.assert_array_equal(np.asarray(read_image(data)), np.rint(values / 257))


def test_mode_i_is_16_bit_too_and_nothing_else():
    values = np.array([[0, 128, 129, 65535]], np.int32)
    assert np.asarray(read_image(Image.fromarray(values))).tolist() == [[0, 0, 1, 255]]
    with refused(BadImage, "from -1 to 65534", "from 0 to 65535"):
        read_image(Image.fromarray(values - 1))
    with refused(BadImage, "from 1 to 65536"):
        read_image(encoded(Image.fromarray(values + 1), "TIFF"))


def test_float_pixels_are_refused(tmp_path):
    path = tmp_path / "depth.tiff"
    Image.fromarray(np.zeros((2, 2), np.float32)).save(path)
    with refused(BadImage, path, "float"):
        read_image(path)


def on_white(colour, alpha):
    part = alpha[..., None] / 255
    return colour * part + 255 * (1 - part)


def test_transparency_is_laid_on_white():
    array = noise(channels=4)
    expected = on_white(array[..., :3], array[..., 3])
    for source in (array, encoded(Image.fromarray(array), "PNG"), encoded(Image.fromarray(array), "TIFF")):
        image = read_image(source)
        assert image.mode == "RGB"
        assert np.abs(np.asarray(image) - expected).max() <= 1


def test_grey_with_transparency_stays_grey():
    array = noise(channels=2)
    image = read_image(encoded(Image.fromarray(array, "LA"), "PNG"))
    assert image.mode == "L"
    assert np.abs(np.asarray(image)[..., None] - on_white(array[..., :1], array[..., 1])).max() <= 1


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_palette_with_a_transparent_entry(format):
    image = Image.new("P", (4, 2), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    read = read_image(encoded(image, format, transparency=0))
    assert read.mode == "RGB"
    assert read.getpixel((0, 0)) == (255, 255, 255)
    assert read.getpixel((1, 0)) == (40, 50, 60)


def test_palette_with_partial_transparency():
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 0, 200, 100, 0])
    assert read_image(encoded(image, "PNG", transparency=bytes([0, 51]))).getpixel((0, 0)) == (244, 224, 204)


@pytest.mark.parametrize(
    ("mode", "key", "white"),
    [("1", 0, 255), ("L", 7, 255), ("I;16", 700, 255), ("RGB", (1, 2, 3), (255, 255, 255))],
)
def test_a_transparent_colour_becomes_white(mode, key, white):
    image = Image.new(mode, (3, 2), key)
    assert read_image(encoded(image, "PNG", transparency=key)).getpixel((1, 1)) == white


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(format):
    image = read_image(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), format))
    assert image.mode == "RGB"
    assert np.abs(np.subtract(image.getpixel((8, 8)), (255, 0, 0))).max() <= 2


# --- orientation


@pytest.mark.parametrize("orientation", BY_HAND)
def test_exif_orientation_of_a_jpeg(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = smooth(24, 40)
    data = encoded(stored, "JPEG", exif=exif)
    decoded = np.asarray(Image.open(io.BytesIO(encoded(stored, "JPEG"))))
    expected = BY_HAND[orientation](decoded)
    image = read_image(data)
    np.testing.assert_array_equal(np.asarray(image), expected)
    assert image_size(data) == image.size == expected.shape[1::-1]
    np.testing.assert_array_equal(np.asarray(read_image(image)), expected)  # not turned twice


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation_elsewhere(format):
    array = noise(5, 9)
    for orientation, by_hand in BY_HAND.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        data = encoded(Image.fromarray(array), format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
        expected = by_hand(array)
        np.testing.assert_array_equal(np.asarray(read_image(data)), expected)
        assert image_size(data) == expected.shape[1::-1], orientation


def test_orientation_behind_the_pixels_of_a_png():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = encoded(Image.fromarray(noise(5, 9)), "PNG")
    late = data[:-12] + png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + data[-12:]
    assert read_image(late).size == image_size(late) == (5, 9)


def test_orientation_of_16_bit_grey():
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    values = np.arange(6, dtype=np.uint16).reshape(2, 3) * 257
    image = read_image(encoded(Image.fromarray(values), "PNG", exif=exif))
    np.testing.assert_array_equal(np.asarray(image), np.rot90(values // 257))


@pytest.mark.parametrize("block", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0", b"Exif\0\0"])
def test_a_broken_exif_block_leaves_the_image_as_stored(block):
    data = encoded(smooth(8, 12), "JPEG", exif=block)
    assert read_image(data).size == image_size(data) == (12, 8)


def test_an_orientation_outside_1_to_8_is_ignored():
    exif = Image.Exif()
    exif[ORIENTATION] = 9
    assert image_size(encoded(smooth(8, 12), "JPEG", exif=exif)) == (12, 8)


def test_a_given_image_is_not_changed_and_shares_nothing():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    given = Image.open(io.BytesIO(encoded(Image.fromarray(noise()), "PNG", exif=exif)))
    read = read_image(given)
    assert read.size == (20, 30)
    assert (given.size, given.mode, given.getexif()[ORIENTATION]) == ((30, 20), "RGB", 6)
    plain = Image.fromarray(noise())
    read_image(plain).putpixel((0, 0), (0, 0, 0))
    is_grey(plain)
    np.testing.assert_array_equal(np.asarray(plain), noise())


def test_the_array_read_is_a_copy():
    array = noise()
    image = read_image(array)
    array[:] = 0
    np.testing.assert_array_equal(np.asarray(image), noise())


# --- what is refused


def test_missing_file_and_folder(tmp_path):
    missing = tmp_path / "missing.png"
    with refused(BadImage, missing):
        read_image(missing)
    with refused(BadImage, tmp_path, "Is a directory"):
        read_image(tmp_path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    for source, name in ((path, path), (b"", "image of 0 bytes")):
        with refused(BadImage, name, "0 bytes"):
            read_image(source)


def test_text_named_png_and_formats_outside_of_the_allowlist(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("this is no picture at all")
    with refused(BadImage, path, FORMATS):
        read_image(path)
    for form in ("ICO", "EPS"):  # the latter would start Ghostscript
        data = encoded(Image.new("RGB", (16, 16)), form)
        with refused(BadImage, f"image of {len(data):,} bytes", FORMATS):
            read_image(data)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_cut_short_at_any_place(format):
    data = encoded(smooth(40, 50), format)
    for part in (0.02, 0.3, 0.6, 0.9):
        with refused(BadImage, "bytes: ", attempt=""):
            read_image(data[: int(len(data) * part)])


def test_cut_short_names_the_reason_and_the_file(tmp_path):
    path = tmp_path / "cut.jpg"
    data = encoded(smooth(100, 100), "JPEG")
    path.write_bytes(data[: len(data) // 2])
    for function in (read_image, examine_image):
        with refused(BadImage, path, "truncated"):
            function(path)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_bomb_is_refused_by_its_header(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(100_000, 100_000))
    limit = Image.MAX_IMAGE_PIXELS
    for function in (read_image, examine_image):
        with refused(BadImage, path, "100000 x 100000", "10,000,000,000", "178,956,970", "16,777,216"):
            function(path)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_between_pillows_limits_there_is_no_warning():
    # 100 megapixels: Image.open would warn; here the header is fine and the missing pixels are what is wrong
    for content, *limit in ((png_header(10_000, 10_000),), (png_header(20_000, 10_000), 10**9)):
        with refused(BadImage, "cannot be read", attempt=""):
            read_image(content, *limit)


def test_the_limit_is_exact_and_holds_for_all_sources():
    data = encoded(Image.new("L", (20, 10)), "PNG")
    assert read_image(data, 200).size == (20, 10)
    for source in (data, Image.new("L", (20, 10)), np.zeros((10, 20), np.uint8)):
        with refused(BadImage, "20 x 10", "200 pixels", "199"):
            read_image(source, 199)
    with refused(BadImage, f"{2**24 + 1} x 1"):
        read_image(png_header(2**24 + 1, 1))


def test_arrays_of_another_kind():
    nan = np.full((4, 4, 3), np.nan, np.float32)
    with refused(BadImage, "float32", attempt="(array * 255).round().astype(np.uint8)"):
        read_image(nan)
    with refused(BadImage, "int64", attempt="array.astype(np.uint8)"):
        read_image(np.zeros((4, 4), np.int64))
    with refused(BadImage, "(3, 8, 9)", attempt="array.transpose(1, 2, 0)"):
        read_image(np.zeros((3, 8, 9), np.uint8))
    for shape in ((4,), (2, 4, 4, 3), (4, 4, 2)):
        with refused(BadImage, shape, attempt="load_images"):
            read_image(np.zeros(shape, np.uint8))
    with refused(BadImage, "(0, 4)", attempt=""):
        read_image(np.zeros((0, 4), np.uint8))


def test_other_objects_and_empty_or_closed_images():
    closed = Image.new("RGB", (5, 5))
    closed.close()
    for source, named in ((3, "int"), (Image.new("RGB", (0, 5)), "0 x 5"), (closed, "Image")):
        with refused(BadImage, named, attempt=""):
            read_image(source)


def test_running_out_of_memory_is_not_blamed_on_the_image(monkeypatch):
    def fail(self):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", fail)
    with pytest.raises(MemoryError):
        read_image(noise())


# --- geometry


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
def test_squash_is_one_antialiased_resize(interpolation, channels):
    image = smooth(90, 140)
    got = prepare(image, 32, channels, Preprocessing(interpolation=interpolation))
    filter = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[interpolation]
    expected = np.asarray(image.convert("RGB" if channels == 3 else "L").resize((32, 32), filter))
    assert got.dtype == np.uint8 and got.shape == (32, 32, channels) and got.flags.writeable
    np.testing.assert_array_equal(got, expected.reshape(32, 32, channels))


def test_squash_averages_what_it_shrinks():
    # bilinear, antialiased, by 2: weights 1 3 3 1 over 8 along each side, cut off at the edges
    column = np.array([0, 0, 80, 80, 0, 0, 0, 0], np.uint8)
    got = prepare(read_image(np.tile(column, (8, 1))), 4, 1, SQUASH)[0, :, 0]
    np.testing.assert_array_equal(got, [80 * 1 / 7 + 0.5, 80 * 6 / 8, 80 * 1 / 8, 0] // np.float64(1))


def resize_then_crop(image, resolution, crop_fraction):
    short = round(resolution / crop_fraction)
    width, height = (int(short * side / min(image.size)) for side in image.size)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    top, left = round((height - resolution) / 2), round((width - resolution) / 2)
    return resized[top : top + resolution, left : left + resolution].astype(int)


@pytest.mark.parametrize("size", [(375, 500), (500, 375), (300, 451), (256, 256), (100, 101), (30, 900)])
def test_crop_is_resize_then_centre_crop(size):
    image = smooth(*size)
    for crop_fraction in (0.875, 0.95, 1.0):
        got = prepare(image, 224, 3, Preprocessing(mode="crop", crop_fraction=crop_fraction))
        difference = np.abs(got - resize_then_crop(image, 224, crop_fraction))
        assert difference.max() <= 2 and np.mean(difference > 0) < 0.015, crop_fraction


def test_crop_shows_the_middle():
    array = np.zeros((8, 16), np.uint8)
    array[:, 4:12] = 9
    assert (prepare(read_image(array), 8, 1, Preprocessing(mode="crop", crop_fraction=1.0)) == 9).all()


@pytest.mark.parametrize(("size", "inner"), [((60, 120), (16, 32)), ((120, 60), (32, 16)), ((50, 70), (23, 32))])
def test_letterbox_keeps_the_shape_and_fills(size, inner):
    image = smooth(*size)
    got = prepare(image, 32, 3, Preprocessing(mode="letterbox", fill=77))
    height, width = inner
    top, left = (32 - height) // 2, (32 - width) // 2
    expected = np.full((32, 32, 3), 77)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    expected[top : top + height, left : left + width] = resized
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(1, 1), (1, 60_000), (60_000, 1), (2, 3)])
def test_any_shape_works(mode, size):
    image = read_image(np.full(size, 200, np.uint8))
    for resolution in (1, 32):
        got = prepare(image, resolution, 3, Preprocessing(mode=mode, fill=200))
        assert got.shape == (resolution, resolution, 3) and (got == 200).all()


def test_60_megapixels_work(tmp_path):
    path = tmp_path / "large.jpg"
    Image.new("L", (10_000, 6_000), 90).save(path)
    assert image_size(path) == (10_000, 6_000)
    assert is_grey(path)
    assert (load_images([path], 32, 3, Preprocessing(mode="crop")) == 90).all()


def test_prepare_leaves_the_image_and_gives_its_own_memory():
    image = read_image(noise(8, 8))
    got = prepare(image, 8, 3, SQUASH)
    np.testing.assert_array_equal(got, noise(8, 8))
    got[:] = 0
    np.testing.assert_array_equal(np.asarray(image), noise(8, 8))


def test_prepare_refuses():
    image = read_image(noise())
    with refused(BadOption, "channels is 2", attempt="channels=3"):
        prepare(image, 32, 2, SQUASH)
    with refused(BadOption, "resolution is 0", attempt="resolution=224"):
        prepare(image, 0, 3, SQUASH)
    with refused(BadImage, "'RGBA'", attempt="read_image(image)"):
        prepare(Image.new("RGBA", (4, 4)), 8, 3, SQUASH)


# --- lists, sizes, grey


def test_load_images_keeps_the_order(tmp_path):
    arrays = [noise(seed=1), noise(9, 7, seed=2), noise(5, 5, 1, seed=3)]
    path = tmp_path / "one.png"
    Image.fromarray(arrays[0]).save(path)
    got = load_images([path, arrays[1], Image.fromarray(arrays[2][..., 0])], 16, 3, SQUASH)
    assert got.shape == (3, 16, 16, 3) and got.dtype == np.uint8
    for one, array in zip(got, arrays, strict=True):
        np.testing.assert_array_equal(one, prepare(read_image(array), 16, 3, SQUASH))
    assert load_images([], 16, 1, SQUASH).shape == (0, 16, 16, 1)


def test_load_images_names_the_one_that_fails(tmp_path):
    empty = tmp_path / "empty.png"
    empty.touch()
    with refused(BadImage, "image 2 of 2", empty):
        load_images([noise(), empty], 16, 3, SQUASH)
    with refused(BadImage, "cat.jpg", attempt="load_images([image], ...)"):
        load_images("cat.jpg", 16, 3, SQUASH)
    with refused(BadOption, "channels is 4"):
        load_images([], 16, 4, SQUASH)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_image_size(format):
    assert image_size(encoded(smooth(20, 30), format)) == (30, 20)


def test_a_large_jpeg_is_examined_at_a_fraction_of_its_size():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = encoded(smooth(1100, 2400), "JPEG", exif=exif)
    seen = examine_image(data)
    assert (seen.width, seen.height) == (1100, 2400)  # upright, whole
    assert seen.image.size == (275, 600)
    whole = np.asarray(read_image(data).resize((275, 600), Image.Resampling.BOX)).astype(int)
    assert np.abs(np.asarray(seen.image) - whole).mean() < 2
    assert seen.turned and not seen.grey
    assert examine_image(encoded(smooth(511, 600), "JPEG")).image.size == (600, 511)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_fraction_shows_what_is_cut_short(share, progressive):
    data = encoded(smooth(2400, 2400), "JPEG", progressive=progressive)
    with refused(BadImage, "truncated"):
        examine_image(data[: int(len(data) * share)])


def test_what_is_told_of_an_image():
    told = {
        "JPEG": examine_image(encoded(smooth(20, 30), "JPEG")),
        "CMYK": examine_image(encoded(smooth(20, 30).convert("CMYK"), "JPEG")),
        "I;16": examine_image(encoded(Image.new("I;16", (30, 20), 9), "PNG")),
        "RGBA": examine_image(encoded(smooth(20, 30).convert("RGBA"), "PNG")),
        "GIF": examine_image(encoded(smooth(20, 30), "GIF", save_all=True, append_images=[smooth(20, 30).rotate(90)])),
    }
    assert {name: (seen.form, seen.mode, seen.transparent, seen.animated) for name, seen in told.items()} == {
        "JPEG": ("JPEG", "RGB", False, False),
        "CMYK": ("JPEG", "CMYK", False, False),
        "I;16": ("PNG", "I;16", False, False),
        "RGBA": ("PNG", "RGBA", True, False),
        "GIF": ("GIF", "P", False, True),
    }
    assert examine_image(noise()).form == ""


def test_a_broken_second_frame_leaves_the_first():
    data = encoded(smooth(20, 30), "GIF", save_all=True, append_images=[smooth(20, 30).rotate(90)])
    second = data.rindex(b"\x21\xf9")  # its graphic control block
    cut = data[: second + 3]
    assert read_image(cut).size == (30, 20)
    assert not examine_image(cut).animated


@pytest.mark.parametrize("place", [(0, 0), (3, 5), (6, 8)])
def test_one_pixel_of_colour_is_found_in_any_band(place, monkeypatch):
    monkeypatch.setattr(examine, "_BAND", 14)  # two rows
    image = Image.new("RGB", (7, 9), (5, 5, 5))
    assert examine_image(image).grey
    image.putpixel(place, (5, 6, 5))
    assert not examine_image(image).grey


def test_large_images_are_examined_one_at_a_time(monkeypatch):
    monkeypatch.setattr(examine, "_LARGE", 100)
    held = []
    monkeypatch.setattr(examine, "_channels_are_equal", lambda image: held.append(examine._one_large.locked()) or True)
    examine_image(noise(20, 20))
    examine_image(noise(10, 10))
    assert held == [True, False]
    assert not examine._one_large.locked()


def test_grey_is_said_of_grey_in_any_clothes():
    grey = noise(40, 40, 1)
    as_rgb = np.repeat(grey, 3, axis=2)
    for source in (grey, grey[..., 0], as_rgb, Image.fromarray(as_rgb)):
        assert is_grey(source)
    for format in ("JPEG", "PNG", "TIFF", "GIF"):  # WEBP has no grey, and its lossy colours are not exact
        assert is_grey(encoded(Image.fromarray(grey[..., 0]), format))
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert is_grey(encoded(Image.fromarray(as_rgb), format, **({"lossless": True} if format == "WEBP" else {})))
    assert is_grey(encoded(Image.fromarray(noise(channels=2), "LA"), "PNG"))
    assert is_grey(np.zeros((4, 4), np.uint8)) and is_grey(Image.new("I;16", (4, 4)))


def test_one_coloured_pixel_is_colour():
    array = np.full((64, 64, 3), 90, np.uint8)
    array[40, 13, 2] = 91
    for source in (array, Image.fromarray(array), encoded(Image.fromarray(array), "PNG")):
        assert not is_grey(source)


def test_colour_that_an_eighth_of_the_size_hides_is_colour():
    # red and its opposite in turn: the mean of each 8 x 8 block is grey
    array = np.full((64, 64, 3), 128, np.uint8)
    array[:, ::2, 0], array[:, 1::2, 0] = 168, 88
    data = encoded(Image.fromarray(array), "JPEG", quality=100, subsampling=0)
    reduced = Image.open(io.BytesIO(data))
    reduced.draft("RGB", (8, 8))
    assert (np.ptp(np.asarray(reduced).astype(int), axis=2) == 0).all()  # the case is what it claims to be
    assert not is_grey(data)
    assert not is_grey(encoded(smooth(64, 64), "JPEG"))


@pytest.mark.parametrize(("alpha", "seen"), [(0, 77), (255, 77), (128, 166)])
def test_a_bitmap_without_any_alpha_is_opaque(alpha, seen):
    pixels = np.full((2, 3, 4), (77, 77, 77, alpha), np.uint8).tobytes()
    header = struct.pack("<IiiHHIIiiII", 108, 3, 2, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"Win " + bytes(48)
    data = struct.pack("<2sIHHI", b"BM", 14 + 108 + len(pixels), 0, 0, 122) + header + pixels
    assert read_image(data).getpixel((0, 0)) == (seen, seen, seen)
    assert examine_image(data).transparent == (alpha > 0)


def test_pillow_has_the_same_pixel_limit():
    assert MAX_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


# --- the record


def test_record_round_trip_and_default():
    assert Preprocessing().to_json() == {
        "version": 1,
        "mode": "squash",
        "crop_fraction": 0.875,
        "interpolation": "bilinear",
        "fill": 0,
        "draft": False,
    }
    for record in (Preprocessing(), Preprocessing(mode="letterbox", interpolation="bicubic", fill=114)):
        assert Preprocessing.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("version", 2, "1, the only version"),
        ("version", True, "1, the only version"),
        ("mode", "stretch", "squash, crop or letterbox"),
        ("mode", ["crop"], "squash, crop or letterbox"),
        ("crop_fraction", 0, "from 0.1 to 1"),
        ("crop_fraction", 1.5, "from 0.1 to 1"),
        ("crop_fraction", float("nan"), "from 0.1 to 1"),
        ("crop_fraction", "0.875", "from 0.1 to 1"),
        ("interpolation", "nearest", "bilinear or bicubic"),
        ("fill", 256, "from 0 to 255"),
        ("fill", 0.5, "from 0 to 255"),
        ("draft", 1, "true or false"),
        ("draft", "yes", "true or false"),
    ],
)
def test_record_names_the_wrong_value(key, value, right):
    record = Preprocessing().to_json()
    with refused(BadArtifact, f"{key} is {value!r}", right):
        Preprocessing.from_json(record | {key: value})
    with refused(BadOption, f"{key} is {value!r}", right, attempt=f"{key}={record[key]!r}"):
        Preprocessing(**{key: value})


def test_record_names_unknown_and_missing_keys():
    record = Preprocessing().to_json()
    keys = "crop_fraction, draft, fill, interpolation, mode, version"
    with refused(BadArtifact, "'gamma'", keys):
        Preprocessing.from_json(record | {"gamma": 1})
    del record["fill"]
    with refused(BadArtifact, "'fill'", keys):
        Preprocessing.from_json(record)
    with refused(BadArtifact, "list", attempt=""):
        Preprocessing.from_json([1])
