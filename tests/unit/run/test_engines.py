import importlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data
from PIL import Image

from pocketvision.errors import BadArtifact, MissingExtra
from pocketvision.run import engines
from pocketvision.run.engines import ENGINES, OnnxRuntime, OpenVino, in_parts, open_engine
from refusals import refused

RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def test_gives_outputs_by_name(exported):
    engine = OnnxRuntime(exported.content, threads=1)
    outputs = engine.run(exported.images)
    assert {name: output.shape for name, output in outputs.items()} == {
        "probabilities": (8, 10),
        "logits": (8, 10),
        "features": (8, exported.graph.shape_of("pool").channels),
    }
    assert (engine.name, engine.version) == ("onnxruntime", onnxruntime.__version__)


@pytest.mark.parametrize(("threads", "stated"), [(1, 1), (3, 3), (None, 0)])
def test_threads(exported, threads, stated):
    engine = OnnxRuntime(exported.content, threads)
    assert engine._session.get_session_options().intra_op_num_threads == stated
    assert engine._session.get_providers() == ["CPUExecutionProvider"]


def test_refuses_tensors_in_other_files(exported):
    proto = onnx.load_model_from_string(exported.content)
    for tensor in proto.graph.initializer[:2]:
        set_external_data(tensor, "/etc/passwd")
    first = proto.graph.initializer[0].name
    with refused(BadArtifact, "2 of its tensors", repr(first)):
        OnnxRuntime(proto.SerializeToString())


@pytest.mark.parametrize("content", [b"", b"<html></html>", np.random.default_rng(0).bytes(1000)])
def test_refuses_what_is_no_model(content):
    with refused(BadArtifact, "not an ONNX model", attempt="pocketvision fit"):
        OnnxRuntime(content)


def test_refuses_a_file_that_was_cut_short(exported):
    content = exported.content
    with refused(BadArtifact, "cut short", f"of {len(content) // 2}", attempt="copy"):
        OnnxRuntime(content[: len(content) // 2])


def test_what_the_engine_cannot_load_is_one_line(capfd):
    node = helper.make_node("NoSuchOp", ["image"], ["logits"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "logits")]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 17)]
    with refused(BadArtifact, RUNTIME, "load", "NoSuchOp", attempt="pip install --upgrade onnxruntime") as caught:
        OnnxRuntime(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("images", [np.zeros((1, 16, 16, 3), np.uint8), np.zeros((2, 32, 32, 3), np.float32)])
def test_what_the_engine_cannot_run_is_one_line(exported, images):
    with refused(BadArtifact, RUNTIME, "run", images.shape, images.dtype, attempt="pocketvision verify") as caught:
        OnnxRuntime(exported.content).run(images)
    assert "\n" not in str(caught.value)


def test_a_model_without_an_input_called_image():
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "logits")]
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    graph = helper.make_graph([helper.make_node("Add", ["x", "one"], ["logits"])], "g", values[:1], values[1:], [one])
    opsets = [helper.make_opsetid("", 17)]
    engine = OnnxRuntime(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    with refused(BadArtifact, RUNTIME, "(1, 2, 2, 3)"):
        engine.run(np.zeros((1, 2, 2, 3), np.uint8))


@pytest.mark.parametrize(("callers", "count"), [(1, 0), (1, 8), (3, 1), (3, 8)])
def test_openvino_agrees(exported, callers, count):
    images = exported.images[:count]
    engine, plain = OpenVino(exported.content, 1, callers), OnnxRuntime(exported.content, 1)
    assert engine.image_shape == plain.image_shape
    ours, theirs = engine.run(images), plain.run(images)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].shape == theirs[name].shape and ours[name].dtype == np.float32
        if count:
            assert np.abs(ours[name] - theirs[name]).max() <= 1e-4 * np.abs(theirs[name]).max()


@pytest.mark.parametrize("name", ENGINES)
def test_many_callers(exported, name):
    engine = open_engine(exported.content, name, 1, callers=2)
    alone = [engine.run(exported.images[i : i + 2])["logits"] for i in range(4)]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda i: engine.run(exported.images[i % 4 : i % 4 + 2])["logits"], range(40)))
    for i, found in enumerate(rows):
        np.testing.assert_array_equal(found, alone[i % 4])


def test_openvino_keeps_to_float32(exported):
    engine = OpenVino(exported.content, 1)
    engine.run(exported.images[:2])
    assert engine._compiled.keys() == {True, False}
    for compiled in engine._compiled.values():
        assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.parametrize("change", [lambda images: images.astype(np.float32), lambda images: images[:, :5]])
def test_openvino_refuses_other_images(exported, change):
    images = change(exported.images)
    with refused(BadArtifact, "openvino", images.shape, images.dtype):
        OpenVino(exported.content).run(images)


def test_a_signal_after_two_engines_are_gone(exported):
    """In a process of its own: a signal stack that is gone ends it without a word."""
    program = """
import signal, sys
from pocketvision.run.engines import OpenVino
model = sys.stdin.buffer.read()
one, two = OpenVino(model, 1), OpenVino(model, 1, callers=2)
del one
del two
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("as usual")
"""
    words = [sys.executable, "-X", "faulthandler", "-W", "error", "-c", program]
    done = subprocess.run(words, input=exported.content, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, b"as usual\n"), done.stderr


def test_openvino_is_not_installed(exported, monkeypatch):
    monkeypatch.setattr(engines, "_openvino_core", engines._openvino_core.__wrapped__)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with refused(MissingExtra, "'openvino'", attempt="pip install 'pocketvision[openvino]'"):
        OpenVino(exported.content)


def test_openvino_cannot_load_it():
    graph = helper.make_graph(
        [helper.make_node("Unheard", ["image"], ["logits"], domain="of")],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 2, 2, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("of", 1)]
    with refused(BadArtifact, "openvino ", "load", attempt="engine='onnxruntime'"):
        OpenVino(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


@pytest.mark.parametrize("name", ENGINES)
def test_large_batches_go_in_parts(exported, monkeypatch, name):
    engine = open_engine(exported.content, name, 1)
    whole = engine.run(exported.images)
    assert [len(part) for part in in_parts(exported.images)] == [8]
    monkeypatch.setattr(engines, "PIXELS_PER_CALL", 3.5 * 32 * 32)
    assert [len(part) for part in in_parts(exported.images)] == [4, 4]
    assert [len(part) for part in in_parts(exported.images[:0])] == [0]
    parts = engine.run(exported.images)
    for output in whole:
        assert parts[output].shape == whole[output].shape
        assert np.abs(parts[output] - whole[output]).max() <= 1e-4 * np.abs(whole[output]).max()


SWITCHES = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"}  # that a user's shell has not
PREDICT = (sys.executable, "-m", "pocketvision.cli.app", "predict")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty HOME, and a shell as a user has it."""
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.chdir(path)  # without a HOME some statistics are left where the program runs
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_leaves_nothing_in_home_and_connects_to_nobody(engine, exported, home, tmp_path):
    photo, calls = tmp_path / "a.png", tmp_path / "calls"
    Image.new("RGB", (8, 8)).save(photo)
    watched = ("strace", "-f", "-e", "trace=connect", "-o", str(calls)) if shutil.which("strace") else ()
    words = [*watched, *PREDICT, str(exported.path), str(photo), "--engine", engine]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(home.rglob("*")) == []
    if watched:
        assert [line for line in calls.read_text().splitlines() if "connect(" in line] == []


def test_what_the_user_set_for_telemetry_comes_second(monkeypatch):
    """ONNX Runtime takes only "1" for yes."""
    program = "import pocketvision, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "true")
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "1\n"


@pytest.mark.parametrize("was", [None, sys])
def test_a_module_is_hidden_for_a_while(was, monkeypatch):
    monkeypatch.delitem(sys.modules, "some_module", raising=False)
    if was is not None:
        monkeypatch.setitem(sys.modules, "some_module", was)
    with engines._hidden("some_module"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("some_module")
    assert sys.modules.get("some_module") is was


@pytest.mark.parametrize(("cores", "given", "taken"), [(2, None, 2), (8, None, None), (2, 4, 4)])
def test_an_engine_is_told_of_the_cores_where_they_are_not_all_of_the_machine(monkeypatch, cores, given, taken):
    told = []
    monkeypatch.setattr(engines.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(engines, "count_cores", lambda: cores)
    monkeypatch.setitem(engines.ENGINES, "onnxruntime", lambda model, threads, callers: told.append(threads))
    engines.open_engine(b"", "onnxruntime", given)
    assert told == [taken]
