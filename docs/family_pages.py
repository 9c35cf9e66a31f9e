"""The page of each file of families: words, blocks, rows, costs beside published figures, weights, a network layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from draw import Drawing, draw
from row_tables import rows_table

from pocketvision.choose.figures import CLASSES, IMAGENET, Figure, published_figures
from pocketvision.cli.show import cost_lines
from pocketvision.cost.count import Cost, count
from pocketvision.model import families
from pocketvision.model.families import find_family
from pocketvision.model.published import PUBLISHED
from pocketvision.model.resolve import resolve
from pocketvision.model.rows import Family

BELOW = ("Misprints: ", "Figures that differ: ")  # begin the paragraphs of a file's words that stand below the figures


@dataclass(frozen=True)
class Page:
    """What a page shows besides what it reads from its file; the words are the file's own.

    Attributes:
        title: of the page.
        tables: families whose rows are shown; those in one tuple share a table.
        blocks: caption, family and block of each drawing.
        grid: widths and resolutions of the first family that are counted, published or not.
    """

    title: str
    tables: tuple[tuple[str, ...], ...]
    blocks: tuple[tuple[str, str, str], ...]
    grid: tuple[tuple[float, ...], tuple[int, ...]] = ((), ())


PAGES: dict[ModuleType, Page] = {
    families.mobilenet_v1: Page(
        "MobileNetV1",
        (("mobilenet_v1",),),
        (
            ("A standard convolution", "mobilenet_v1_standard", "block3"),
            ("The separable one", "mobilenet_v1", "block3"),
            ("With stride 2", "mobilenet_v1", "block4"),
        ),
        ((1.0, 0.75, 0.5, 0.25), (224, 192, 160, 128)),
    ),
    families.mobilenet_v2: Page(
        "MobileNetV2",
        (("mobilenet_v2",),),
        (
            ("Stride 1, with a shortcut", "mobilenet_v2", "block3"),
            ("Stride 2, without", "mobilenet_v2", "block4"),
        ),
        ((1.4, 1.0, 0.75, 0.5, 0.35), (224, 192, 160, 128, 96)),
    ),
    families.mobilenet_v3: Page(
        "MobileNetV3",
        (("mobilenet_v3_large",), ("mobilenet_v3_small",)),
        (
            ("With a gate, ReLU", "mobilenet_v3_large", "block5"),
            ("Without, hard-swish", "mobilenet_v3_large", "block8"),
        ),
        ((1.0, 0.75, 0.5, 0.25), (224, 160, 128)),
    ),
    families.mobilenet_v4: Page(
        "MobileNetV4",
        (("mobilenet_v4_conv_small",), ("mobilenet_v4_conv_medium",), ("mobilenet_v4_conv_large",)),
        (
            ("Both filters", "mobilenet_v4_conv_medium", "block3"),
            ("The first alone", "mobilenet_v4_conv_medium", "block9"),
            ("The second alone: V2's block", "mobilenet_v4_conv_small", "block6"),
            ("None: feed-forward", "mobilenet_v4_conv_medium", "block10"),
            ("Fused, near the image", "mobilenet_v4_conv_medium", "block1"),
        ),
    ),
    families.efficientnet_lite: Page(
        "EfficientNet-Lite",
        (tuple(f"efficientnet_lite{number}" for number in range(5)),),
        (
            ("Stride 1, with a shortcut", "efficientnet_lite0", "block5"),
            ("Stride 2, without", "efficientnet_lite0", "block4"),
        ),
        ((1.0, 0.75, 0.5), (224, 160, 128)),
    ),
    families.xception: Page(
        "Xception",
        (("xception",),),
        (
            ("Entry flow: the map halves", "xception", "block3"),
            ("Middle flow", "xception", "block5"),
        ),
    ),
    families.shufflenet_v1: Page(
        "ShuffleNet",
        (tuple(f"shufflenet_v1_g{groups}" for groups in (1, 2, 3, 4, 8)),),
        (("Stride 1", "shufflenet_v1_g3", "block2"), ("Stride 2", "shufflenet_v1_g3", "block5")),
    ),
    families.shufflenet_v2: Page(
        "ShuffleNet V2",
        (("shufflenet_v2",),),
        (
            ("Stride 1", "shufflenet_v2", "block2"),
            ("Stride 2", "shufflenet_v2", "block1"),
            ("Stride 1, as the authors have it", "shufflenet_v2_authors", "block2"),
            ("Stride 2, as the authors have it", "shufflenet_v2_authors", "block1"),
        ),
    ),
    families.effnet: Page("EffNet", (("effnet",),), (("Each side on its own", "effnet", "block1"),)),
    families.squeezenet: Page(
        "SqueezeNet", (("squeezenet1_0",), ("squeezenet1_1",)), (("Fire module", "squeezenet1_1", "block1"),)
    ),
}


def family_pages(folder: Path, note: str) -> dict[Path, str]:
    """Return the pages and their pictures by path.

    Args:
        folder: where they go.
        note: first line of each page.
    """
    found = {}
    for file, page in PAGES.items():
        found[folder / f"{_stem(file)}.md"] = family_page(file, page, note)
        found[folder / f"{_stem(file)}.svg"] = family_picture(page)
    return found


def _stem(file: ModuleType) -> str:
    return file.__name__.rpartition(".")[2]


def family_picture(page: Page) -> str:
    """The page's blocks."""
    return draw(
        f"Blocks of {page.title}", [Drawing(caption, resolve(family), block) for caption, family, block in page.blocks]
    )


def family_page(file: ModuleType, page: Page, note: str) -> str:
    """One page."""
    first: Family = file.FAMILIES[0]
    words, misprints = _words(file)
    name = f"{_stem(file)}.py"
    graph = resolve(first)
    lines = [
        note,
        f"# {page.title}",
        "",
        f"{first.title}, {first.source}. The rows: [families/{name}](../../src/pocketvision/model/families/{name}).",
        "",
        *words,
        "",
        "## The block",
        "",
        f"![Blocks of {page.title}]({_stem(file)}.svg)",
        "",
        *_rows(page),
        *_costs(file, page),
        *(("## Misprints, and figures that differ", "", *misprints, "") if misprints else ()),
        *_claims(file),
        *_weights(file),
        "## Layer by layer",
        "",
        f"`pocketvision show {first.name}`",
        "",
        "```",
        *cost_lines(graph, count(graph)),
        "```",
        "",
    ]
    return "\n".join(lines)


def _words(file: ModuleType) -> tuple[list[str], list[str]]:
    """Return the file's words without their first line, and apart from them what they say of its figures."""
    assert file.__doc__ is not None
    paragraphs = file.__doc__.partition("\n")[2].strip().split("\n\n")
    words, below = [], []
    for paragraph in paragraphs:
        mark = next((mark for mark in BELOW if paragraph.startswith(mark)), None)
        if mark is None:
            words.append(paragraph)
        else:
            text = paragraph.removeprefix(mark)
            below.append(text[:1].upper() + text[1:])
    return "\n\n".join(words).splitlines(), "\n\n".join(below).splitlines()


def _rows(page: Page) -> Iterator[str]:
    yield from ("## The rows", "")
    for names in page.tables:
        heading = " / ".join(f"`{name}`" for name in names)
        found = [find_family(name) for name in names]
        yield from (f"{heading}, {found[0].source}:", "", *rows_table(found), "")


def _costs(file: ModuleType, page: Page) -> Iterator[str]:
    """Yield exact costs, each beside what was published of that network."""
    yield from ("## Costs and published figures", "")
    yield (
        "Parameters and multiply-adds are counted from the rows, for as many classes as the data have (ImageNet: 1000); beside "
        "them what the source prints. Accuracy is top-1 of one crop, on ImageNet where nothing else is said."
    )
    yield from (
        "",
        "| family | width | resolution | parameters | printed | multiply-adds | printed | top-1 | source |",
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for family in file.FAMILIES:
        figures = list(published_figures().get(family.name, ()))
        covered = {(figure.width, figure.resolution) for figure in figures}
        grid = [(width, side) for width in page.grid[0] for side in page.grid[1]] if family is file.FAMILIES[0] else []
        figures += [_blank(family, *size) for size in grid if size not in covered]
        figures = figures or [_blank(family, 1.0, family.resolution)]
        for figure in sorted(figures, key=lambda figure: (-figure.width, -figure.resolution)):
            yield _cost_row(family, figure)
    yield ""


def _blank(family: Family, width: float, resolution: int) -> Figure:
    """Return a size of which nothing was published."""
    return Figure(family.name, width, resolution, IMAGENET, 0.0, "", "", "", False)


def _cost_row(family: Family, figure: Figure) -> str:
    cost: Cost = count(resolve(family, figure.width, figure.resolution, classes=CLASSES[figure.data]))
    top1 = ""
    if figure.source:
        top1 = f"{figure.top1:.1f} %" + ("" if figure.data == IMAGENET else f" of {figure.data}")
    return (
        f"| `{family.name}` | {figure.width:.2f} | {figure.resolution} | {cost.params:,} | {figure.params} | "
        f"{cost.macs:,} | {figure.macs} | {top1} | {figure.source} |"
    )


def _claims(file: ModuleType) -> Iterator[str]:
    yield from ("## Published figures that these counts meet", "")
    yield "| family | width | resolution | parameters | multiply-adds | published |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for family in file.FAMILIES:
        for claim in family.claims:
            yield (
                f"| `{family.name}` | {claim.width:.2f} | {claim.resolution} | {claim.params:,} | {claim.macs:,} | "
                f"{claim.source} |"
            )
    yield ""


def _weights(file: ModuleType) -> Iterator[str]:
    names = {family.name for family in file.FAMILIES}
    known = [weights for weights in PUBLISHED if weights.family in names]
    yield from ("## Published weights", "")
    if not known:
        yield from ("None are known to this release: training starts from scratch.", "")
        return
    yield "| name | family | width | resolution | ImageNet top-1 | conventions |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for each in known:
        yield (
            f"| `{each.name}` | `{each.family}` | {each.width:.2f} | {each.resolution} | "
            f"{'' if each.top1 is None else f'{each.top1:.1f} %'} | {each.conventions} |"
        )
    yield ""
