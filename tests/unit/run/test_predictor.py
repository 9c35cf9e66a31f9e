import io
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image

import pocketvision
from pocketvision.errors import BadArtifact, BadImage, BadOption
from pocketvision.export.seal import seal
from pocketvision.run import predictor as module
from pocketvision.run.image_files import image_files
from pocketvision.run.metrics import softmax
from pocketvision.run.predictor import Predictor, load, read_bytes
from pocketvision.run.results import Labels
from refusals import refused


@pytest.fixture(scope="module")
def model(exported):
    return Predictor.open(exported.path, threads=1)


@pytest.fixture(scope="module")
def expected(exported):
    """Names and probabilities by the trained network, all classes, the likeliest first."""
    probabilities = softmax(exported.logits(exported.images) / exported.record.temperature)
    return [sorted(zip(row, exported.record.labels, strict=True), reverse=True) for row in probabilities]


@pytest.fixture
def files(exported, tmp_path):
    """The eight images as PNG files."""
    paths = [tmp_path / f"{i}.png" for i in range(len(exported.images))]
    for path, image in zip(paths, exported.images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def written(image):
    """As a program leaves it that has just saved an image in memory."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file


def check(labels, expected):
    assert isinstance(labels, Labels) and not labels.unknown
    assert [label.name for label in labels] == [name for _, name in expected[: len(labels)]]
    assert [label.probability for label in labels] == pytest.approx([p for p, _ in expected[: len(labels)]], abs=1e-5)


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "bytearray", "array", "PIL", "BytesIO", "at its end"])
def test_one_image_of_any_kind(model, exported, expected, files, kind):
    image = {
        "path": files[2],
        "text": str(files[2]),
        "bytes": files[2].read_bytes(),
        "array": exported.images[2],
        "bytearray": bytearray(files[2].read_bytes()),
        "PIL": Image.fromarray(exported.images[2]),
        "BytesIO": io.BytesIO(files[2].read_bytes()),
        "at its end": written(exported.images[2]),
    }[kind]
    labels = model.predict(image)
    assert len(labels) == 5
    check(labels, expected[2])


def test_the_networks_differ_from_image_to_image(expected):
    assert len({row[0][1] for row in expected}) > 1


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists(model, exported, expected, kind, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    found = model.predict(kind(exported.images))
    assert isinstance(found, list) and len(found) == 8
    for labels, row in zip(found, expected, strict=True):
        check(labels, row)
    assert model.predict([]) == []


def test_generators(model, exported, expected, files, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    with ExitStack() as opened:
        found = model.predict(opened.enter_context(path.open("rb")) for path in files)
    assert isinstance(found, list) and len(found) == 8
    for labels, row in zip(found, expected, strict=True):
        check(labels, row)
    assert np.array_equal(model.embed(iter(files)), model.embed(files))
    assert model.predict(iter([])) == []


def test_a_broken_image_of_a_generator_is_counted(model, files):
    with refused(BadImage, "image 2: image of 3 bytes: is not an image"):
        model.predict(iter([files[0], b"GIF"]))


def test_a_file_opened_as_text_and_one_that_is_closed(model, files):
    with (
        files[0].open(encoding="latin-1") as file,
        refused(BadImage, files[0], "gives str", attempt='open(path, "rb")'),
    ):
        model.predict(file)
    with refused(BadImage, files[0], "closed file"):
        model.predict(file)


def test_stream_takes_a_folder_and_no_single_image(model, files, tmp_path):
    assert [answer.source for answer in model.stream(tmp_path)] == sorted(files)
    for alone in (files[0], str(files[0]), b"GIF", io.BytesIO(b"GIF")):
        with refused(BadOption, "alone", attempt="stream([image])"):
            list(model.stream(alone))


def test_a_run_folder_opens_its_file(model, exported, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.onnx").write_bytes(exported.content)
    assert load(tmp_path / "run").record == load(str(tmp_path / "run")).record == model.record


def test_a_folder_gives_a_dict_by_file_name(model, expected, files, tmp_path):
    (tmp_path / "sub").mkdir()
    files[5].rename(tmp_path / "sub" / "five.PNG")
    for hidden in (".hidden.png", ".git/x.png"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("no image")
    for folder in (tmp_path, str(tmp_path)):
        found = model.predict(folder, top=2)
        assert list(found) == ["0.png", "1.png", "2.png", "3.png", "4.png", "6.png", "7.png", "sub/five.PNG"]
        check(found["3.png"], expected[3])
        check(found["sub/five.PNG"], expected[5])


def test_a_folder_without_images(tmp_path):
    with refused(BadImage, tmp_path, "JPEG, PNG"):
        image_files(tmp_path)


@pytest.mark.parametrize(("top", "given"), [(1, 1), (3, 3), (10, 10), (99, 10)])
def test_top(model, exported, expected, top, given):
    labels = model.predict(exported.images[0], top=top)
    assert len(labels) == given
    check(labels, expected[0])


def test_top_below_one(model, exported):
    for answer in (lambda: model.predict(exported.images[0], top=0), lambda: list(model.stream(exported.images, 0))):
        with refused(BadOption, "top is 0"):
            answer()


def test_labels_carry_their_place_in_the_file(model, exported):
    for label in model.predict(exported.images[0], top=10):
        assert exported.record.labels[label.index] == label.name


def test_unknown(exported):
    record = replace(exported.record, unknown_threshold=0.999)
    labels = Predictor.open(seal(exported.content, record)).predict(exported.images[0])
    assert labels.unknown and labels.top.probability < 0.999
    assert repr(labels).startswith("unknown, nearest [Label(name=")


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_stream_goes_on_behind_a_broken_image(model, exported, expected, batch):
    sources = [*exported.images[:4], b"broken", *exported.images[4:], "no such file"]
    answers = list(model.stream(iter(sources), top=2, batch=batch))
    assert [answer.source is source for answer, source in zip(answers, sources, strict=True)] == [True] * 10
    good = [answer for answer in answers if answer.error is None]
    assert len(good) == 8
    for answer, row in zip(good, expected, strict=True):
        check(answer.labels, row)
    broken, missing = answers[4], answers[9]
    assert broken.labels is None and missing.labels is None
    assert "image of 6 bytes" in str(broken.error)
    assert "no such file" in str(missing.error)


def test_a_stream_answers_before_it_has_read_all(model, exported):
    def sources():
        yield from exported.images[:2]
        raise AssertionError("read too far")

    answers = model.stream(sources(), batch=2)
    assert next(answers).labels and next(answers).labels


def test_an_image_that_cannot_be_read(model):
    with refused(BadImage, "no such file"):
        model.predict("no such file")


def test_opening_a_path_or_its_bytes(exported):
    for file in (exported.path, str(exported.path), exported.content):
        assert Predictor.open(file).record.labels == exported.record.labels
        assert load(file, threads=1).record == pocketvision.load(file).record
    assert Predictor.open(exported.path, threads=2).engine._session.get_session_options().intra_op_num_threads == 2


def test_logits_of_prepared_images(model, exported):
    sources = [Image.fromarray(image) for image in exported.images]
    prepared = model.prepare(iter(sources))
    assert np.array_equal(prepared, exported.images)
    np.testing.assert_allclose(model.logits(prepared), exported.logits(exported.images), rtol=1e-4, atol=1e-4)


def test_an_image_of_another_size_goes_through_the_files_preprocessing(model, exported):
    large = Image.fromarray(exported.images[0]).resize((64, 48))
    with io.BytesIO() as file:
        large.save(file, "PNG")
        assert model.predict(large) == model.predict(file.getvalue())


@pytest.mark.parametrize("open_file", [read_bytes, Predictor.open])
def test_a_file_that_is_not_there(tmp_path, open_file):
    path = tmp_path / "none.onnx"
    with refused(BadArtifact, path, "No such file or directory"):
        open_file(path)


def test_an_onnx_file_of_somebody_else(exported):
    proto = onnx.load_model_from_string(exported.content)
    del proto.metadata_props[:]
    with refused(BadArtifact, "record"):
        Predictor.open(proto.SerializeToString())


@pytest.mark.parametrize(("threads", "count"), [(1, 9), (3, 1), (3, 8), (3, 100)])
def test_a_stream_keeps_the_order_whatever_the_threads(exported, expected, threads, count):
    model = Predictor.open(exported.path, threads=threads)
    sources = [exported.images[i % 8] for i in range(count)]
    answers = list(model.stream(sources, top=10, batch=4))
    assert [answer.source is source for answer, source in zip(answers, sources, strict=True)] == [True] * count
    for i, answer in enumerate(answers):
        check(answer.labels, expected[i % 8])
        assert answer.outputs.keys() == {"logits", "probabilities", "features"}
        assert answer.outputs["logits"].shape == (10,)


def test_few_sources_open_no_second_engine(exported):
    model = Predictor.open(exported.path, threads=2)
    assert len(list(model.stream(list(exported.images)))) == 8
    assert "_crew" not in vars(model)
    assert len(list(model.stream(list(exported.images) * 2))) == 16
    assert model._crew is not model.engine and model._crew.name == "onnxruntime"
    alone = Predictor.open(exported.path, threads=1)
    list(alone.stream(list(exported.images) * 2))
    assert alone._crew is alone.engine
