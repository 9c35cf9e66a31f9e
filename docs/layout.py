"""Where the boxes of a block stand and how its arrows run: layers by the longest path, branches beside it, shortcuts at the side.

The longest path stands in the first lane, from top to bottom. Every other chain of ops gets a lane of its own on the right, half
way between where it leaves that path and where it comes back. An arrow that passes ops by runs down the side.
"""

from dataclasses import dataclass, field

from labels import TIMES, Label, label

from pocketvision.model.graph import Add, Graph, Op

GAP = 44.0  # between boxes, for an arrow with its shape
TURN = 24.0  # below a box, where arrows turn aside
LANE_GAP, TRACK = 28.0, 26.0  # between lanes; from the outermost box to an arrow that passes by
CHARACTER, MARGIN = 8.0, 28.0  # width of a character of a label, generously; of the box around the label
IN, OUT = "in", "out"
END = Label("", "", "end")


@dataclass
class Box:
    """One op, or one of the ends.

    Attributes:
        label: what stands in it.
        inputs: names of the boxes it reads.
        shape: of what it makes, as "64 x 56 x 56".
        lane: 0 is the longest path.
        x, y, width, height: centre, top and size in pixels.
    """

    label: Label
    inputs: list[str]
    shape: str
    lane: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + self.height


@dataclass
class Layout:
    """A block, laid out; its size, and the arrows as lists of corners."""

    boxes: dict[str, Box]
    arrows: list[list[tuple[float, float]]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def lay_out(graph: Graph, block: str) -> Layout:
    """Return a block's boxes and arrows.

    Raises:
        ValueError: the network has no such block.
    """
    ops = {op.name: op for op in graph.ops if op.origin.block == block}
    if not ops:
        raise ValueError(f"{graph.name} has no block {block!r}.")
    boxes = _boxes(graph, ops)
    layers = _layers(boxes)
    path = _longest_path(boxes, layers)
    chains = _chains(boxes, path, ops)
    _place(boxes, path, chains)
    layout = Layout(boxes)
    _run_arrows(layout, path, ops)
    _fit(layout)
    return layout


def _boxes(graph: Graph, ops: dict[str, Op]) -> dict[str, Box]:
    """One box an op between the two ends; all that comes from other blocks is the upper end."""
    outside = [name for op in ops.values() for name in op.inputs if name not in ops]
    boxes = {IN: Box(Label("in", "", "end"), [], _shape(graph, outside[0]))}
    for op in ops.values():
        inputs = [name if name in ops else IN for name in op.inputs]
        boxes[op.name] = Box(label(op), inputs, _shape(graph, op.name))
    last = list(ops)[-1]
    boxes[OUT] = Box(Label("out", "", "end"), [last], "")
    wide = max(CHARACTER * max(len(box.label.what), 0.85 * len(box.label.how)) for box in boxes.values()) + MARGIN
    for name, box in boxes.items():
        box.width, box.height = (64.0, 26.0) if name in (IN, OUT) else (wide, 44.0 if box.label.how else 30.0)
    return boxes


def _shape(graph: Graph, tensor: str) -> str:
    return f" {TIMES} ".join(map(str, graph.shape_of(tensor)))


def _layers(boxes: dict[str, Box]) -> dict[str, int]:
    """Return the length of the longest path to each box; ops come in order of execution."""
    layers: dict[str, int] = {}
    for name, box in boxes.items():
        layers[name] = 1 + max((layers[before] for before in box.inputs), default=-1)
    return layers


def _longest_path(boxes: dict[str, Box], layers: dict[str, int]) -> list[str]:
    path = [OUT]
    while boxes[path[0]].inputs:
        path.insert(0, max(boxes[path[0]].inputs, key=layers.__getitem__))
    return path


def _chains(boxes: dict[str, Box], path: list[str], ops: dict[str, Op]) -> list[list[str]]:
    """Return the other ops as chains, from left to right; each gets a lane."""
    chains: list[list[str]] = []
    for name in ops:
        if name in path:
            continue
        before = boxes[name].inputs[0]
        chain = next((chain for chain in chains if chain[-1] == before), None)
        if chain is None:
            chains.append(chain := [])
        chain.append(name)
        boxes[name].lane = chains.index(chain) + 1
    return chains


def _place(boxes: dict[str, Box], path: list[str], chains: list[list[str]]) -> None:
    """Give every box its centre and top: the path downwards, chains half way between their ends."""
    y = 0.0
    for name in path:
        boxes[name].y = y
        y += boxes[name].height + GAP
    step = max(box.width for box in boxes.values()) + LANE_GAP
    beside: set[str] = set()
    for chain in chains:
        fork = path.index(boxes[chain[0]].inputs[0])
        join = next(i for i, name in enumerate(path) if chain[-1] in boxes[name].inputs)
        beside.update(path[fork + 1 : join])
        top, bottom = boxes[path[fork]].bottom + GAP, boxes[path[join]].y - GAP
        tall = sum(boxes[name].height for name in chain) + GAP * (len(chain) - 1)
        y = top if boxes[chain[0]].label.kind == "order" else (top + bottom - tall) / 2
        for name in chain:
            boxes[name].y = y
            y += boxes[name].height + GAP
    for name, box in boxes.items():
        box.x = step * (box.lane if box.lane or name in beside else len(chains) / 2)


def _run_arrows(layout: Layout, path: list[str], ops: dict[str, Op]) -> None:
    """Add an arrow for each input of each box."""
    boxes = layout.boxes
    left = min(box.x - box.width / 2 for box in boxes.values())
    right = max(box.x + box.width / 2 for box in boxes.values())
    for name, box in boxes.items():
        arriving = sorted({boxes[before].x for before in box.inputs if not _passes(before, name, path)})
        for before in box.inputs:
            start = boxes[before]
            turn = start.bottom + TURN
            if _passes(before, name, path):
                is_left = isinstance(ops[name], Add)
                track = left - TRACK if is_left else right + TRACK
                edge = box.x + (-box.width if is_left else box.width) / 2
                middle = box.y + box.height / 2
                corners = [(start.x, start.bottom), (start.x, turn), (track, turn), (track, middle), (edge, middle)]
            else:
                port = box.x
                if len(arriving) > 1:
                    port += box.width * (arriving.index(start.x) / (len(arriving) - 1) - 0.5) * 0.6
                if start.lane or (box.lane == 0 and start.x < box.x):
                    turn = box.y - (GAP - TURN)
                corners = [(start.x, start.bottom), (start.x, turn), (port, turn), (port, box.y)]
            layout.arrows.append([corner for i, corner in enumerate(corners) if i == 0 or corner != corners[i - 1]])


def _passes(before: str, name: str, path: list[str]) -> bool:
    """Whether an arrow between two boxes of the path passes others of it by."""
    return before in path and name in path and path.index(name) - path.index(before) > 1


def _fit(layout: Layout) -> None:
    """Move everything so that it begins at (0, 0), and set the size."""
    xs = [x for arrow in layout.arrows for x, _ in arrow]
    xs += [box.x + side * box.width / 2 for box in layout.boxes.values() for side in (-1, 1)]
    xs += [box.x + 12 + 6.6 * len(box.shape) for box in layout.boxes.values()]
    move = -min(xs)
    for box in layout.boxes.values():
        box.x += move
    layout.arrows = [[(x + move, y) for x, y in arrow] for arrow in layout.arrows]
    layout.width, layout.height = max(xs) + move, max(box.bottom for box in layout.boxes.values())
