import json
from dataclasses import asdict

import numpy as np
import pytest

from pocketvision.cli import info as info_command
from pocketvision.errors import BadArtifact, BadOption
from pocketvision.run import engines, fastest
from pocketvision.run.engines import DEFAULT, OnnxRuntime, OpenVino, installed_engines
from pocketvision.run.fastest import Choice, fastest_engine, known_choice
from pocketvision.run.goldens import golden_images
from pocketvision.run.predictor import Predictor
from pocketvision.run.timing import Timing
from refusals import refused


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("POCKETVISION_ENGINE")


class Broken(OnnxRuntime):
    """Quick, and wrong."""

    name = "broken"

    def run(self, images):
        return {name: output + np.float32(0.1) * np.abs(output).max() for name, output in super().run(images).items()}


class Missing(OpenVino):
    @staticmethod
    def installed():
        return None


def stub_timing(monkeypatch, **medians):
    """Time nothing: say how long each engine takes, with a noise of 0.5 ms."""

    def timed(calls, seconds):
        yield from ()
        return {name: Timing(medians[name], medians[name], 0.5, 5) for name in calls}

    monkeypatch.setattr(fastest, "time_interleaved", timed)


@pytest.mark.parametrize(
    ("openvino", "taken"),
    [(5.0, "openvino"), (9.7, "openvino"), (9.9, "onnxruntime"), (12.0, "onnxruntime")],
)
def test_takes_the_fastest_and_the_default_where_they_are_alike(exported, monkeypatch, openvino, taken):
    stub_timing(monkeypatch, onnxruntime=10.0, openvino=openvino)
    found = fastest_engine(exported.content, exported.record)
    assert found.engine == taken
    assert found.timings == {"onnxruntime": (10.0, 0.5), "openvino": (openvino, 0.5)} and not found.refused


def test_measures_once(exported, monkeypatch):
    first = fastest_engine(exported.content, exported.record, threads=1)
    assert set(first.timings) == {"onnxruntime", "openvino"} and min(first.timings.values()) > (0, 0)
    monkeypatch.setattr(fastest, "open_engine", lambda *arguments: pytest.fail("measured again"))
    assert fastest_engine(exported.content, exported.record, threads=1) == first
    assert known_choice(exported.content, threads=1) == first
    assert known_choice(exported.content, threads=2) is None and known_choice(exported.content, 1, batch=32) is None


@pytest.mark.parametrize("damage", ["", '{"engine": "gone", "timings": {}}'])
def test_a_damaged_note_is_measured_again(exported, monkeypatch, tmp_path, damage):
    stub_timing(monkeypatch, onnxruntime=1.0, openvino=9.0)
    first = fastest_engine(exported.content, exported.record)
    (note,) = (tmp_path / "cache" / "engines").iterdir()
    assert json.loads(note.read_text()) == json.loads(json.dumps(asdict(first)))
    note.write_text(damage)
    assert fastest_engine(exported.content, exported.record) == first


def test_a_cache_that_cannot_be_written(exported, monkeypatch, tmp_path):
    stub_timing(monkeypatch, onnxruntime=10.0, openvino=5.0)
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert fastest_engine(exported.content, exported.record).engine == "openvino"


def test_without_other_engines_nothing_is_measured(exported, monkeypatch, tmp_path):
    monkeypatch.setitem(engines.ENGINES, "openvino", Missing)
    monkeypatch.setattr(fastest, "open_engine", lambda *arguments: pytest.fail("measured"))
    assert installed_engines() == {DEFAULT: OnnxRuntime.version}
    assert fastest_engine(exported.content, exported.record) == Choice()
    assert Predictor.open(exported.content).predict(exported.images[0]).top.name
    assert not (tmp_path / "cache").exists()


def test_never_takes_an_engine_that_fails_the_goldens(exported, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "broken", Broken)
    stub_timing(monkeypatch, onnxruntime=10.0, openvino=9.9, broken=0.1)
    found = fastest_engine(exported.content, exported.record)
    assert found.engine == "onnxruntime" and "broken" not in found.timings
    assert list(found.refused) == ["broken"]
    assert "0.1 " in found.refused["broken"] and "0.0001" in found.refused["broken"]
    assert Predictor.open(exported.content).engine.name == "onnxruntime"


def test_an_engine_that_cannot_be_opened_is_left_out(exported, monkeypatch):
    class Fails(OnnxRuntime):
        name = "fails"

        def __init__(self, *arguments):
            raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setitem(engines.ENGINES, "fails", Fails)
    stub_timing(monkeypatch, onnxruntime=10.0, openvino=9.9)
    found = fastest_engine(exported.content, exported.record)
    assert found.refused == {"fails": "libtbb.so.12: cannot open shared object file"}


def test_no_engine_gives_the_goldens(exported, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "onnxruntime", Broken)
    monkeypatch.setitem(engines.ENGINES, "openvino", Missing)
    monkeypatch.setitem(engines.ENGINES, "broken", Broken)
    with refused(BadArtifact, "onnxruntime: ", "0.1 ", attempt="pocketvision verify"):
        fastest_engine(exported.content, exported.record)


def test_a_predictor_takes_what_was_chosen(exported, monkeypatch):
    stub_timing(monkeypatch, onnxruntime=10.0, openvino=5.0)
    model = Predictor.open(exported.content)
    assert model.engine.name == "openvino"
    plain = Predictor.open(exported.content, engine="onnxruntime")
    assert plain.engine.name == "onnxruntime"
    sources = list(exported.images)
    for ours, theirs in zip(model.stream(sources, 10), plain.stream(sources, 10), strict=True):
        assert [label.name for label in ours.labels] == [label.name for label in theirs.labels]
        logits = theirs.outputs["logits"]
        assert np.abs(ours.outputs["logits"] - logits).max() <= 1e-4 * np.abs(logits).max()
    monkeypatch.setenv("POCKETVISION_ENGINE", "onnxruntime")
    assert Predictor.open(exported.content).engine.name == "onnxruntime"


def test_an_unknown_engine(exported):
    with refused(BadOption, "'tensorrt'", *engines.ENGINES, attempt="engine='auto'"):
        Predictor.open(exported.content, engine="tensorrt")


def test_info_tells_the_choice(exported, monkeypatch):
    stub_timing(monkeypatch, onnxruntime=10.0, openvino=5.0)
    monkeypatch.setitem(engines.ENGINES, "broken", Broken)
    found = fastest_engine(exported.content, exported.record)
    told = info_command._engine(found)
    assert told.startswith(f"openvino, measured {found.date}: ")
    assert "onnxruntime 10.000 +- 0.500 ms, openvino 5.000 +- 0.500 ms" in told
    assert "broken refused" in told and "0.1 " in told


def test_the_golden_image_is_timed_as_a_batch(exported, monkeypatch):
    seen = {}

    def timed(calls, seconds):
        yield from ()
        for make in calls.values():
            seen.setdefault("images", make().args[0])
        return {name: Timing(1.0, 1.0, 0.1, 5) for name in calls}

    monkeypatch.setattr(fastest, "time_interleaved", timed)
    fastest_engine(exported.content, exported.record, batch=3)
    one = golden_images(1, exported.record.resolution, exported.record.channels)
    np.testing.assert_array_equal(seen["images"], np.concatenate([one] * 3))
