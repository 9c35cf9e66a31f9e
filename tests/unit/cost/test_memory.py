"""Memory by hand: the peak of MobileNetV1 1.0-224 from the paper's table, then graphs small enough to add up in the head."""

import onnx
import pytest
from onnx import numpy_helper

from graphs import builder, fire, residual, shuffle_v2, small
from pocketvision.cost.count import count
from pocketvision.cost.memory import live_bytes
from pocketvision.model.graph import ChannelShuffle, Split
from pocketvision.model.init import initial_arrays
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve

FLOAT = 4  # bytes


class TestMobileNetV1At224:
    """Table 1 of arXiv:1704.04861, width 1.0, resolution 224, 1000 classes, by hand."""

    # Weights. Batch norm is folded: each convolution keeps its filters and one bias a channel.
    STEM = 32 * 3 * 3 * 3 + 32
    BLOCKS = ((32, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), *((512, 512),) * 5,
              (512, 1024), (1024, 1024))  # fmt: skip
    SEPARABLE = sum((n * 3 * 3 + n) + (m * n + m) for n, m in BLOCKS)  # depthwise n, then pointwise n -> m
    CLASSIFIER = 1024 * 1000 + 1000
    WEIGHT_BYTES = FLOAT * (STEM + SEPARABLE + CLASSIFIER)

    # Activations. The maps are largest behind the stem, 112 x 112. Block 1's pointwise convolution reads 32 channels
    # and makes 64: both are alive. Block 2 reads these 64, but its depthwise convolution makes 56 x 56.
    PEAK_BYTES = FLOAT * (32 + 64) * 112 * 112

    def test_by_hand_it_is_21_7_mb(self):
        assert self.STEM + self.SEPARABLE + self.CLASSIFIER == 4_221_032
        assert self.WEIGHT_BYTES == 16_884_128
        assert self.PEAK_BYTES == 4_816_896

    def test_count_says_the_same_to_the_byte(self):
        cost = count(resolve("mobilenet_v1", width=1.0, resolution=224, classes=1000))
        assert (cost.weight_bytes, cost.peak_activation_bytes) == (self.WEIGHT_BYTES, self.PEAK_BYTES)
        assert max(cost.ops, key=lambda op: op.live_bytes).name == "block1.pointwise"
        assert cost.memory_mb == 21.701024

    def test_folding_removes_one_number_a_channel(self):
        """The trained network has a scale and a shift for each; the file has one bias. The classifier has no batch norm."""
        channels = 32 + sum(n + m for n, m in self.BLOCKS)
        assert count(resolve("mobilenet_v1")).params - self.WEIGHT_BYTES // FLOAT == channels == 10_944


@pytest.mark.parametrize(("width", "resolution"), [(0.25, 32), (0.5, 56), (1.0, 96), (0.5, 112)])
def test_activations_grow_with_the_square_of_the_resolution_and_weights_do_not(width, resolution):
    once, twice = (count(resolve("mobilenet_v1", width, side)) for side in (resolution, 2 * resolution))
    assert twice.peak_activation_bytes == 4 * once.peak_activation_bytes
    assert twice.weight_bytes == once.weight_bytes


MAP = FLOAT * 8 * 8  # one channel of the graphs below
IMAGE = 3 * 8 * 8  # uint8


def graph_of(build):
    """A graph without a head on 3x8x8 images; `build` returns the tensors that are its outputs."""
    b = builder()
    return b.graph("by hand", {name: name for name in build(b)})


def chain(b):
    x = b.conv("image", "wide", 8)
    x = b.conv(x, "narrow", 2)
    return (b.conv(x, "last", 4),)


def test_a_chain_keeps_what_an_op_reads_and_what_it_makes():
    assert live_bytes(graph_of(chain)) == (IMAGE + 8 * MAP, (8 + 2) * MAP, (2 + 4) * MAP)


def test_a_shortcut_that_waits_is_counted():
    stem, expand, depthwise, project, add, *_ = live_bytes(residual(2))
    assert stem == IMAGE + 2 * MAP
    assert expand == (2 + 4) * MAP
    assert depthwise == (2 + 4 + 4) * MAP  # the shortcut waits
    assert project == (2 + 4 + 2) * MAP
    assert add == (2 + 2) * MAP  # into the place of one of them


def with_activation(b, read_again):
    x = b.conv("image", "x", 4)
    y = b.activation(x, "activated", "relu")
    return (b.add(x, y, "sum") if read_again else b.conv(y, "last", 1),)


@pytest.mark.parametrize(("read_again", "live"), [(False, 4 * MAP), (True, (4 + 4) * MAP)])
def test_an_activation_takes_its_inputs_place_unless_that_is_read_again(read_again, live):
    assert live_bytes(graph_of(lambda b: with_activation(b, read_again)))[1] == live


def test_dropout_does_nothing_and_needs_nothing():
    def build(b):
        x = b.conv("image", "x", 4)
        return (b.dropout(x, "dropout", 0.5),)

    assert live_bytes(graph_of(build))[1] == 4 * MAP


def test_an_output_of_the_graph_is_overwritten_by_nobody():
    def build(b):
        x = b.conv("image", "x", 4)
        return x, b.activation(x, "activated", "relu")

    assert live_bytes(graph_of(build)) == (IMAGE + 4 * MAP, (4 + 4) * MAP)


def test_an_output_of_the_graph_is_alive_to_the_end():
    def build(b):
        early = b.conv("image", "early", 5)
        x = b.conv(early, "x", 3)
        return early, b.conv(x, "late", 2)

    assert live_bytes(graph_of(build)) == (IMAGE + 5 * MAP, (5 + 3) * MAP, (5 + 3 + 2) * MAP)


def test_the_image_is_one_byte_a_pixel_and_waits_for_its_last_reader():
    def build(b):
        left, right = b.conv("image", "left", 2), b.conv("image", "right", 2)
        return (b.add(left, right, "sum"),)

    assert live_bytes(graph_of(build)) == (IMAGE + 2 * MAP, IMAGE + 4 * MAP, 4 * MAP)


def test_a_sum_with_itself_takes_the_place_of_both():
    def build(b):
        x = b.conv("image", "x", 4)
        return (b.add(x, x, "twice"),)

    assert live_bytes(graph_of(build))[1] == 4 * MAP


def test_a_concat_holds_its_pieces_and_the_whole():
    squeeze, expand1, expand3, expand, *_ = live_bytes(fire(1))  # 1 channel, then 2 and 3 of it
    assert squeeze == IMAGE + 1 * MAP
    assert expand1 == (1 + 2) * MAP
    assert expand3 == (1 + 2 + 3) * MAP
    assert expand == (2 + 3 + 5) * MAP


def test_the_pieces_of_a_split_are_tensors_of_their_own():
    _, kept, y, *_ = live_bytes(shuffle_v2(2, units=1))  # 4 channels, then 2 and 2 of them
    assert (kept, y) == ((4 + 2) * MAP, (4 + 2 + 2) * MAP)


def test_what_nobody_reads_is_alive_while_it_is_made():
    def build(b):
        x = b.conv("image", "x", 1)
        b.conv(x, "unread", 9)
        return (b.conv(x, "last", 2),)

    assert live_bytes(graph_of(build)) == (IMAGE + MAP, (1 + 9) * MAP, (1 + 2) * MAP)


def test_weight_bytes_are_those_of_the_file(family):
    """Beside the weights a file holds the few numbers of its own ops: less than 100 bytes, and places of splits and shuffles."""
    graph = small(family, width=0.4, resolution=33, in_channels=1)
    proto = onnx.load_from_string(write_onnx(graph, initial_arrays(graph, 0)))
    stored = {tensor.name: numpy_helper.to_array(tensor).nbytes for tensor in proto.graph.initializer}
    own = {"normalize.mean", "normalize.factor", "zero", "six", "height_width", "temperature"}
    constants = {name: stored.pop(name) for name in own & set(stored)}
    places = [name for name in stored if name.rpartition(".")[2] in ("table", "flat", "start", "stop", "axis")]
    moves = [op for op in graph.ops if isinstance(op, ChannelShuffle | Split)]
    assert sum(stored.pop(name) for name in places) <= 100 * len(moves)
    assert sum(stored.values()) == count(graph).weight_bytes
    assert 0 < sum(constants.values()) < 100
