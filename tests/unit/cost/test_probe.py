"""The probe on this machine, with networks that take a fraction of a millisecond. No test asks how long anything took."""

import math
import tempfile

import onnxruntime
import pytest

from artifacts import make_record
from graphs import small
from pocketvision.cost import probe as module
from pocketvision.cost.count import count
from pocketvision.cost.device_file import read_device_file
from pocketvision.cost.probe import measure_footprint, measure_latencies, probe, probe_files
from pocketvision.errors import BadArtifact, BadOption, UnknownFamily
from pocketvision.events import Progress, Timed
from pocketvision.export.seal import seal
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.run.device import this_device
from pocketvision.run.timing import NOISE_ROUNDS, Timing
from refusals import refused

TINY = (small("mobilenet_v1_shallow", 0.25), small("mobilenet_v1_shallow", 0.125, in_channels=1))


def finish(generator):
    """Return the events and the result."""
    events = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return events, stop.value


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """Events and result of one real probe, and what it left in the folder for temporary files."""
    folder = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        events, file = finish(probe(TINY, seconds=0.5))
    finally:
        tempfile.tempdir = before
    return events, file, list(folder.iterdir())


@pytest.fixture(scope="module")
def model_file(exported, tmp_path_factory):
    """A finished file whose record states the network's options, as those of `fit` do."""
    path = tmp_path_factory.mktemp("finished") / "model.onnx"
    write_model(path, exported, exported.graph.options._asdict())
    return path


def write_model(path, exported, options):
    record = make_record(exported.network, model={"name": exported.graph.name, **options})
    path.write_bytes(seal(write_onnx(exported.graph, exported.network.arrays(), record.temperature), record))


@pytest.mark.alone
def test_each_network_has_its_row_in_order(probed):
    _, file, _ = probed
    assert [row.options for row in file.rows] == [graph.options for graph in TINY]
    for row, graph in zip(file.rows, TINY, strict=True):
        cost = count(graph)
        assert (row.name, row.macs, row.memory_mb) == (graph.name, cost.macs, round(cost.memory_mb, 3))
        assert 0 < row.latency_ms <= row.p95_ms
        assert 0 < row.noise_ms < math.inf
        assert row.rounds >= NOISE_ROUNDS
        assert row.load_ms > 0 and row.rss_mb > file.process_mb > 0
        assert 0 < row.size_mb - cost.weight_bytes / 1e6 < 0.02  # beside the weights: nodes and names
        assert row.precision == "fp32"


@pytest.mark.alone
def test_the_file_says_what_measured_and_can_be_written(probed, tmp_path):
    _, file, _ = probed
    assert (file.device, file.threads) == (this_device(), 1)
    assert (file.engine, file.engine_version) == ("onnxruntime", onnxruntime.__version__)
    file.write(tmp_path / "here.json")
    assert read_device_file(tmp_path / "here.json") == file
    assert file.latency_of(TINY[0]).median_ms == file.rows[0].latency_ms


@pytest.mark.alone
def test_events_tell_of_writing_then_timing_then_memory(probed):
    events, file, _ = probed
    words = [event.work if isinstance(event, Progress) else "timing" for event in events]
    first, timed, last = words[:2], words[2:-2], words[-2:]
    assert (
        first == ["writing networks"] * 2
        and set(timed) == {"timing"}
        and last == ["measuring load time and memory"] * 2
    )
    assert [(event.done, event.total) for event in events if isinstance(event, Progress)] == [(1, 2), (2, 2)] * 2
    rounds = [(event.name, event.rounds) for event in events if isinstance(event, Timed)]
    assert rounds == [(graph.name, i + 1) for i in range(file.rows[0].rounds) for graph in TINY]
    latest = {event.name: event for event in events if isinstance(event, Timed)}
    for row in file.rows:
        event = latest[row.name]
        assert (event.latency_ms, event.p95_ms, event.noise_ms) == (row.latency_ms, row.p95_ms, row.noise_ms)


@pytest.mark.alone
def test_no_file_is_left_behind(probed):
    assert probed[2] == []


@pytest.mark.alone
def test_no_file_is_left_behind_by_a_probe_that_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = probe(TINY, seconds=0.001, footprints=False)
    next(running), next(running), next(running)
    assert list(tmp_path.iterdir()) != []
    running.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.alone
def test_a_finished_file_is_probed_as_an_untrained_network_is(model_file, exported):
    content = model_file.read_bytes()
    events, file = finish(probe_files([model_file], threads=2, seconds=0.001))
    (row,) = file.rows
    assert (row.name, row.options, file.threads) == (str(model_file), exported.graph.options, 2)
    assert row.size_mb == len(content) / 1e6
    assert {event.name for event in events if isinstance(event, Timed)} == {str(model_file)}
    assert model_file.read_bytes() == content


@pytest.mark.alone
def test_files_need_no_pocketvision_record_to_be_timed(tmp_path):
    path = tmp_path / "bare.onnx"
    path.write_bytes(write_onnx(TINY[0], module.initial_arrays(TINY[0], 0)))
    events, found = finish(measure_latencies({"bare": path}, threads=1, seconds=0.001))
    assert found["bare"].rounds == NOISE_ROUNDS == len(events)


@pytest.fixture
def no_clock(monkeypatch):
    """Timings without measuring; returns those who asked."""
    asked = []

    def fake(files, threads, seconds):
        asked.append((list(files), threads, seconds))
        yield from ()
        return {name: Timing(1.0, 1.2, 0.05, 10) for name in files}

    monkeypatch.setattr(module, "measure_latencies", fake)
    return asked


def test_footprints_can_be_left_out(no_clock):
    events, file = finish(probe(iter(TINY), threads=3, seconds=7, footprints=False))
    assert no_clock == [([graph.name for graph in TINY], 3, 7)]
    assert file.process_mb is None and {(row.load_ms, row.rss_mb) for row in file.rows} == {(None, None)}
    assert {event.work for event in events} == {"writing networks"}


def test_the_memory_of_a_process_without_a_network_is_the_least_of_all(no_clock, monkeypatch):
    found = iter(
        ({"load_ms": 3.0, "process_mb": 42.0, "rss_mb": 50.0}, {}, {"load_ms": 4, "process_mb": 40, "rss_mb": 60})
    )
    monkeypatch.setattr(module, "measure_footprint", lambda path, threads: next(found))
    _, file = finish(probe((*TINY, small("mobilenet_v1"))))
    assert file.process_mb == 40
    assert [(row.load_ms, row.rss_mb) for row in file.rows] == [(3.0, 50.0), (None, None), (4.0, 60.0)]


def test_the_engine_is_told_how_many_threads(exported, monkeypatch):
    told = []

    def engine(content, threads):
        told.append(threads)
        return real(content, threads)

    real = module.OnnxRuntime
    monkeypatch.setattr(module, "OnnxRuntime", engine)
    finish(measure_latencies({"model": exported.path}, threads=3, seconds=0.001))
    assert told == [3] * NOISE_ROUNDS  # made anew each round


def test_where_no_process_can_be_started_memory_is_not_known(no_clock, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", "/no/such/python")
    _, file = finish(probe(TINY[:1]))
    assert file.process_mb is None and file.rows[0].rss_mb is None and file.rows[0].latency_ms == 1.0


def test_a_process_that_fails_gives_no_footprint(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    assert measure_footprint(path, threads=1) == {}


def test_only_the_classifier_depends_on_the_classes(no_clock):
    few, many = small("mobilenet_v1", classes=2), small("mobilenet_v1", classes=1000)
    files = [finish(probe([graph], footprints=False))[1] for graph in (few, many)]
    assert [file.rows[0].classes for file in files] == [2, 1000]
    assert files[0].rows[0].name == files[1].rows[0].name
    assert files[1].rows[0].macs - files[0].rows[0].macs == 256 * 998
    assert files[0].latency_of(many).is_predicted and not files[0].latency_of(few).is_predicted


@pytest.mark.parametrize(
    ("graphs", "options", "named"),
    [
        ((), {}, ()),
        (TINY, {"threads": 0}, ("threads", "got 0")),
        (TINY, {"seconds": 0}, ("seconds", "got 0")),
        (TINY, {"seconds": math.nan}, ("seconds", "got nan")),
    ],
)
def test_what_cannot_be_probed_is_said_before_anything_is_written_or_read(graphs, options, named):
    for verb in (probe, probe_files):
        with refused(BadOption, *named):
            next(verb(graphs, **options))


def test_a_missing_file(no_clock, model_file, tmp_path):
    missing = tmp_path / "missing.onnx"
    with refused(BadArtifact, missing, "No such file or directory"):
        finish(probe_files([model_file, missing]))
    assert no_clock == []


def test_a_file_without_a_record(tmp_path):
    path = tmp_path / "bare.onnx"
    path.write_bytes(write_onnx(TINY[0], module.initial_arrays(TINY[0], 0)))
    with refused(BadArtifact, "record"):
        finish(probe_files([path]))


def test_a_record_that_does_not_say_what_the_network_is(exported, tmp_path):
    options = exported.graph.options._asdict()
    del options["output_stride"]
    write_model(tmp_path / "model.onnx", exported, options)
    with refused(BadArtifact, tmp_path / "model.onnx", "output_stride"):
        finish(probe_files([tmp_path / "model.onnx"]))


def test_a_record_of_a_family_that_is_not_known_here(exported, tmp_path):
    write_model(tmp_path / "model.onnx", exported, exported.graph.options._replace(family="mobilenet_v9")._asdict())
    with refused(UnknownFamily, "'mobilenet_v9'"):
        finish(probe_files([tmp_path / "model.onnx"]))
