"""The device file: what is read is what was written; what was not measured is predicted, or not known."""

import json

import onnxruntime
import pytest

from pocketvision.cost.count import count
from pocketvision.cost.device_file import INTERPOLATION_NOISE, DeviceFile, Latency, Row, read_device_file
from pocketvision.errors import BadDeviceFile
from pocketvision.model.resolve import resolve
from pocketvision.run.device import Device

TRY = "Try: pocketvision probe -o FILE on the device"


def net(width=0.5, resolution=96, classes=10, family="mobilenet_v1", **options):
    return resolve(family, width, resolution, classes, **options)


def row(graph, latency_ms=2.0, noise_ms=0.1, **changes):
    cost = count(graph)
    return Row(
        name=graph.name, **graph.options._asdict(), latency_ms=latency_ms, p95_ms=1.1 * latency_ms, noise_ms=noise_ms,
        rounds=10, size_mb=1.5, macs=cost.macs, memory_mb=cost.memory_mb, **{"precision": "fp32"} | changes,
    )  # fmt: skip


def file_of(*rows, **changes):
    fields = {
        "device": Device("Cortex-A76", ("asimd",), 4, 8000, "Linux aarch64"),
        "engine": "onnxruntime",
        "engine_version": onnxruntime.__version__,
        "threads": 1,
        "date": "2026-01-31",
        "process_mb": 40.0,
        "rows": rows,
    }
    return DeviceFile(**fields | changes)


MEASURED = file_of(row(net(0.25), 1.0, 0.03), row(net(0.5), 3.0, 0.2), row(net(1.0), 9.0, 0.3))


def test_what_is_read_is_what_was_written(tmp_path):
    file = file_of(row(net(), load_ms=12.5, rss_mb=60.0), row(net(0.25, in_channels=1, output_stride=8, dilate=True)))
    path = tmp_path / "pi.json"
    path.write_text("an older one")
    file.write(path)
    assert read_device_file(path) == file
    assert [row.options for row in file.rows] == [
        net().options,
        net(0.25, in_channels=1, output_stride=8, dilate=True).options,
    ]
    assert [left.name for left in tmp_path.iterdir()] == ["pi.json"]


def test_the_same_network_was_measured():
    assert MEASURED.latency_of(net(0.5)) == Latency(3.0, 0.2, is_predicted=False)


@pytest.mark.parametrize("changes", [{"classes": 1000}, {"in_channels": 1}], ids=str)
def test_other_classes_or_channels_are_predicted_with_more_noise(changes):
    assert MEASURED.latency_of(net(0.5, **changes)) == Latency(3.0, 0.2 + INTERPOLATION_NOISE * 3.0, is_predicted=True)


def test_the_very_same_network_is_preferred_to_one_of_other_classes():
    file = file_of(row(net(classes=1000), 4.0), row(net(classes=10), 2.0), row(net(classes=100), 3.0))
    assert file.latency_of(net(classes=10)) == Latency(2.0, 0.1)


@pytest.mark.parametrize("classes", [10, 1000])
@pytest.mark.parametrize(("width", "lower", "upper", "noise"), [(0.375, 1.0, 3.0, 0.2), (0.75, 3.0, 9.0, 0.3)])
def test_a_width_between_two_is_predicted_by_its_multiply_adds(width, lower, upper, noise, classes):
    found = MEASURED.latency_of(net(width, classes=classes))
    macs = {w: count(net(w)).macs for w in (0.25, 0.5, 1.0, width)}
    left, right = (0.25, 0.5) if width < 0.5 else (0.5, 1.0)
    share = (macs[width] - macs[left]) / (macs[right] - macs[left])
    assert found.is_predicted
    assert found.median_ms == pytest.approx(lower + share * (upper - lower))
    assert lower < found.median_ms < (lower + upper) / 2  # multiply-adds grow faster than the width
    assert found.noise_ms == pytest.approx(noise + INTERPOLATION_NOISE * found.median_ms)


def test_a_prediction_rises_with_the_width():
    widths = (0.25, 0.3, 0.375, 0.45, 0.5, 0.6, 0.75, 0.9, 1.0)
    predicted = [MEASURED.latency_of(net(width)).median_ms for width in widths]
    assert predicted == sorted(predicted)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([row(net(0.25), 1.0), row(net(0.2501), 1.1)], id="two widths, rounded to one network"),
        pytest.param([row(net(0.25, 32, 1000), 1.0), row(net(0.3, 32, 2), 1.1)], id="many classes, few classes"),
    ],
)
def test_a_prediction_stays_between_its_neighbours(rows):
    between = resolve("mobilenet_v1", (rows[0].width + rows[1].width) / 2, rows[0].resolution, 10)
    assert 1.0 <= file_of(*rows).latency_of(between).median_ms <= 1.1


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(net(0.2), id="narrower than all"),
        pytest.param(net(1.2), id="wider than all"),
        pytest.param(net(0.5, 128), id="other resolution"),
        pytest.param(net(0.5, family="mobilenet_v1_shallow"), id="other family"),
        pytest.param(net(0.5, output_stride=16), id="other output stride"),
        pytest.param(net(0.375, output_stride=16), id="other output stride, between two widths"),
        pytest.param(net(0.5, output_stride=16, dilate=True), id="dilated"),
    ],
)
def test_where_nothing_near_was_measured_nothing_is_known(graph):
    assert MEASURED.latency_of(graph) is None


def test_a_good_file_gives_no_warning():
    assert MEASURED.warnings() == []


@pytest.mark.parametrize(
    ("engine", "version"), [("onnxruntime", "1.2.3"), ("openvino", onnxruntime.__version__)]
)  # fmt: skip
def test_another_engine_is_a_warning(engine, version):
    assert file_of(row(net()), engine=engine, engine_version=version).warnings() == [
        f"It was measured with {engine} {version}; the finished file is verified here with onnxruntime "
        f"{onnxruntime.__version__}, and another version may be faster or slower."
    ]


def test_noise_is_a_warning():
    file = file_of(row(net(0.25), 2.0, 0.3), row(net(0.5), 2.0, 0.31), row(net(1.0), 2.0, 0.5))  # 15 % are 0.3
    assert file.warnings() == [
        "2 of its 3 networks were measured with more than 15% noise, mobilenet_v1_w0.50_r96 first; "
        "probe again while the device is idle."
    ]


def without(name):
    return {key: value for key, value in MEASURED.model_dump(mode="json").items() if key != name}


def with_row(**changes):
    content = MEASURED.model_dump(mode="json")
    return content | {"rows": [content["rows"][0], content["rows"][1] | changes]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(without("threads"), "threads: Field required", id="missing field"),
        pytest.param(without("version"), "version: Field required", id="no version"),
        pytest.param(without("") | {"gpu": 1}, "gpu: Extra inputs are not permitted", id="unknown field"),
        pytest.param(with_row(latency="2"), "rows.1.latency: Extra inputs are not permitted", id="unknown in a row"),
        pytest.param(with_row(latency_ms=0), "rows.1.latency_ms: Input should be greater than 0", id="no latency"),
        pytest.param(with_row(noise_ms="inf"), "rows.1.noise_ms: Input should be a finite number", id="infinite"),
        pytest.param([1, 2], "Input should be an object", id="a list"),
    ],
)
def test_what_is_no_device_file_says_where(content, problem, tmp_path):
    path = tmp_path / "pi.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadDeviceFile) as caught:
        read_device_file(path)
    assert str(caught.value) == f"{str(path)!r} is not a device file: {problem}. {TRY}"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("content", [b"", b"name,ms\n", b"\xff\xfe"])
def test_what_is_no_json(content, tmp_path):
    path = tmp_path / "pi.json"
    path.write_bytes(content)
    with pytest.raises(BadDeviceFile) as caught:
        read_device_file(path)
    message = str(caught.value)
    assert message.startswith(f"{str(path)!r} is not a device file: Invalid JSON: ")  # the rest is the parser's own
    assert message.endswith(TRY)


@pytest.mark.parametrize(("name", "reason"), [("missing.json", "No such file or directory"), (".", "Is a directory")])
def test_what_cannot_be_read(name, reason, tmp_path):
    path = tmp_path / name
    with pytest.raises(BadDeviceFile) as caught:
        read_device_file(path)
    assert str(caught.value) == f"cannot read {str(path)!r}: {reason}. {TRY}"


@pytest.mark.parametrize("content", [without("") | {"version": 2}, {"version": 2, "networks": []}])
def test_another_version_is_named_whatever_else_it_holds(content, tmp_path):
    path = tmp_path / "pi.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadDeviceFile) as caught:
        read_device_file(path)
    assert str(caught.value) == f"{str(path)!r} has version 2; this release reads version 1. {TRY}"
