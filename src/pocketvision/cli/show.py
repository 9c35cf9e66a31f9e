"""pocketvision show: the table of a network, with what each layer costs."""

from dataclasses import asdict
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.output import print_json, print_line, table_lines

SUMS = ("params", "macs", "weight_bytes", "activation_bytes", "peak_activation_bytes")


def show(
    family: Annotated[str, Argument(help="Family of networks; see `pocketvision models`.")],
    width: Annotated[float, Option(help="Width multiplier.")] = 1.0,
    resolution: Annotated[int | None, Option(help="Input side in pixels. [default: the paper's]")] = None,
    classes: Annotated[int, Option(help="Outputs of the classifier.")] = 1000,
    in_channels: Annotated[int, Option(help="3 for RGB, 1 for grey.")] = 3,
    output_stride: Annotated[
        int | None, Option(help="Input side over last map's side. [default: the family's]")
    ] = None,
    dilate: Annotated[bool, Option("--dilate", help="Dilate the layers behind a removed stride.")] = False,
    thin_head: Annotated[
        bool, Option("--thin-head", help="Below width 1 thin the layers behind the last block, too.")
    ] = False,
    json: Annotated[bool, Option("--json", help="Write every op and the sums as JSON.")] = False,
) -> None:
    """Print a network layer by layer: output, parameters, multiply-adds; and the memory it needs."""
    from pocketvision.cost.count import count
    from pocketvision.model.resolve import resolve

    graph = resolve(family, width, resolution, classes, in_channels, output_stride, dilate, thin_head)
    cost = count(graph)
    if json:
        print_json(_content(graph, cost))
        return
    for line in cost_lines(graph, cost):
        print_line(line)


def cost_lines(graph: Any, cost: Any) -> list[str]:
    """Return the table, the shares by kind of layer, and the sums."""

    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.2f}%"

    rows = [
        (op.name, op.kind, str(op.shape), f"{op.params:,}", f"{op.macs:,}", share(op.macs, cost.macs))
        for op in cost.ops
        if op.params or op.kind == "GlobalPool"
    ]
    total = ("total", "", "", f"{cost.params:,}", f"{cost.macs:,}", "100.00%")
    kinds = [
        (kind, share(found.weights, cost.total.weights), share(found.macs, cost.macs))
        for kind, found in cost.by_kind().items()
    ]
    return [
        f"{graph.name}: input {graph.image}",
        "",
        *table_lines(("layer", "kind", "output", "parameters", "multiply-adds", "share"), [*rows, total], left=2),
        "",
        *table_lines(("kind of layer", "weights", "multiply-adds"), kinds),
        "",
        _memory_line(cost),
    ]


def _memory_line(cost: Any) -> str:
    widest = max(cost.ops, key=lambda op: op.live_bytes)
    return (
        f"memory: {cost.memory_mb:.2f} MB = {cost.weight_bytes / 1e6:.2f} of weights + "
        f"{cost.peak_activation_bytes / 1e6:.2f} of activations alive at {widest.name}"
    )


def _content(graph: Any, cost: Any) -> dict[str, Any]:
    return {
        "name": graph.name,
        "options": graph.source._asdict(),
        **{name: getattr(cost, name) for name in SUMS},
        "ops": [asdict(op) for op in cost.ops],
    }
