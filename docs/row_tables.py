"""A family's rows as a markdown table, in the paper's quantities: one line a row, as the family file has them."""

from collections.abc import Iterator, Sequence

from labels import ACTIVATIONS

from pocketvision.model import rows
from pocketvision.model.resolve import resolve
from pocketvision.model.rows import Block, Family, Row, Wide

# column -> heading and alignment; a column that no row of a table fills is left out
COLUMNS = {
    "input": ("input", "---:"),
    "layer": ("layer", "---"),
    "start": ("kernel before", "---:"),
    "kernel": ("kernel", "---:"),
    "expand": ("expansion", "---:"),
    "hidden": ("expanded to", "---:"),
    "squeeze": ("s1x1", "---:"),
    "expand1": ("e1x1", "---:"),
    "expand3": ("e3x3", "---:"),
    "groups": ("groups", "---:"),
    "gate": ("gate", "---:"),
    "channels": ("channels", "---:"),
    "repeat": ("times", "---:"),
    "stride": ("stride", "---:"),
    "activation": ("activation", "---"),
    "notes": ("", "---"),
}
LAYERS: dict[type[Row], str] = {
    rows.Conv: "convolution",
    rows.MaxPool: "max pool",
    rows.SeparableConv: "separable convolution",
    rows.XceptionModule: "Xception module",
    rows.InvertedResidual: "inverted residual",
    rows.UniversalBottleneck: "universal inverted bottleneck",
    rows.FusedBottleneck: "fused inverted bottleneck",
    rows.ShuffleUnit: "ShuffleNet unit",
    rows.SplitUnit: "ShuffleNet V2 unit",
    rows.Fire: "Fire module",
    rows.EffNetBlock: "EffNet block",
    rows.Dense: "fully connected",
    rows.GlobalPool: "mean over the map",
    rows.Dropout: "dropout",
    rows.Classifier: "classifier",
    rows.MapClassifier: "classifier on the map",
}
SCALES = {"always": "", "above 1": "not thinned below width 1", "never": "the same at every width"}
MIDDLE = {
    "norm and activation": "",
    "activation": "activation alone between depthwise and pointwise",
    "nothing": "nothing between depthwise and pointwise",
}


def rows_table(families: Sequence[Family]) -> list[str]:
    """Return the table of one family, or of several with the same rows, whose differing values stand beside each other in order.

    The activation is a column only where rows differ in it, repeats only where there are some. `input` is the side of what
    comes in, at width 1 and the paper's resolution.

    Raises:
        ValueError: the families' rows are not of the same kinds.
    """
    tables = [[_cells(family, index) for index in range(len(family.rows))] for family in families]
    lines = [_joined(cells) for cells in zip(*tables, strict=True)]
    activations = {line["activation"] for line in lines} - {""}
    if len(activations) == 1:
        lines = [line | {"activation": ""} for line in lines]
    if {line["repeat"] for line in lines} <= {"", "1"}:
        lines = [line | {"repeat": ""} for line in lines]
    used = [column for column in COLUMNS if any(line[column] for line in lines)]
    headings = {column: COLUMNS[column][0] for column in used}
    if families[0].widths:
        headings["channels"] += f" at {' / '.join(f'{width:g}' for width in families[0].widths)}"
    table = [
        f"| {' | '.join(headings.values())} |",
        f"| {' | '.join(COLUMNS[column][1] for column in used)} |",
        *(f"| {' | '.join(line[column] for column in used)} |" for line in lines),
    ]
    return [*table, "", f"Activation: {activations.pop()}."] if len(activations) == 1 else table


def _joined(lines: tuple[dict[str, str], ...]) -> dict[str, str]:
    """Return one line for the same row of several families."""
    if len({line["layer"] for line in lines}) > 1:
        raise ValueError(f"rows of different kinds: {', '.join(line['layer'] for line in lines)}.")
    values = {column: [line[column] for line in lines] for column in lines[0]}
    return {column: found[0] if len(set(found)) == 1 else " / ".join(found) for column, found in values.items()}


def _cells(family: Family, index: int) -> dict[str, str]:
    """Return what stands in each column for one row of a family."""
    row = family.rows[index]
    cells = dict.fromkeys(COLUMNS, "")
    graph = resolve(family, family.widths[0] if family.widths else 1.0)
    first = next(op for op in graph.ops if op.origin.row == index)
    _, height, width = graph.shape_of(first.inputs[0])
    cells.update(input=f"{height}x{width}", layer=LAYERS[type(row)], notes=", ".join(filter(None, _notes(row))))
    if isinstance(row, rows.MaxPool):
        cells.update(kernel=_square(row.kernel), stride=str(row.stride))
    if isinstance(row, Block):
        cells.update(kernel=_square(row.kernel), repeat=str(row.repeat), stride=str(row.stride))
    if isinstance(row, Wide):
        cells["channels"] = _channels(family, row)
    if isinstance(row, Wide | rows.MapClassifier):
        cells["activation"] = ACTIVATIONS[row.activation]
    return cells | _own(row)


def _own(row: Row) -> dict[str, str]:
    """Return the columns that only some kinds of rows have."""
    match row:
        case rows.XceptionModule(filters=filters):
            return {"channels": ", ".join(map(str, filters))}
        case rows.InvertedResidual(hidden_channels=None, expand=expand):
            return {"expand": f"{expand:g}"}
        case rows.InvertedResidual(hidden_channels=hidden, squeeze=squeeze):
            return {"hidden": str(hidden), "gate": f"1/{round(1 / squeeze)}" if squeeze else "no"}
        case rows.UniversalBottleneck(start_kernel=start, kernel=kernel, expand=expand):
            return {"start": _square(start), "kernel": _square(kernel), "expand": f"{expand:g}"}
        case rows.FusedBottleneck(expand=expand):
            return {"expand": f"{expand:g}"}
        case rows.ShuffleUnit(groups=groups):
            return {"groups": str(groups)}
        case rows.EffNetBlock(kernel=kernel):
            return {"kernel": f"1x{kernel}, {kernel}x1"}
        case rows.Fire(squeeze=squeeze, expand1=expand1, expand3=expand3):
            return {"kernel": "", "squeeze": str(squeeze), "expand1": str(expand1), "expand3": str(expand3)}
    return {}


def _channels(family: Family, row: Wide) -> str:
    """Return the channels at width 1, or at each width that is listed."""
    found = [str((row.rounding or family.rounding)(row.out_channels, width)) for width in family.widths]
    return " / ".join(found) if len(set(found)) > 1 else str(row.out_channels)


def _square(kernel: int) -> str:
    return f"{kernel}x{kernel}" if kernel else "none"


def _notes(row: Row) -> Iterator[str]:
    """Yield what else the row says, in words; empty where it is as usual."""
    if isinstance(row, Wide):
        yield SCALES[row.scales]
    match row:
        case rows.Conv(padding=padding, batch_norm=batch_norm):
            yield "" if padding == "same" else "no padding"
            yield "" if batch_norm else "bias instead of batch norm"
        case rows.MaxPool(padding="ceil"):
            yield "the last window may reach beyond the edge"
        case rows.SeparableConv(middle=middle):
            yield MIDDLE[middle]
        case rows.XceptionModule(middle=middle, starts_with_activation=starts):
            yield "" if starts else "no activation before the first"
            yield MIDDLE[middle]
        case rows.ShuffleUnit(has_grouped_start=False):
            yield "the very first 1x1 is not grouped"
        case rows.Dense(batch_norm=batch_norm):
            yield "batch norm" if batch_norm else ""
        case rows.Dropout(rate=rate):
            yield f"rate {rate:g}"
        case rows.Classifier(bias=False):
            yield "no bias"
