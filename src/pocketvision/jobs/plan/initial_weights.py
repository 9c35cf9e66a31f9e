"""Where training starts: published weights, weights of the user's, or nothing."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from pocketvision.choose.candidates import SMALL
from pocketvision.data.survey import Survey
from pocketvision.errors import BadWeights
from pocketvision.events import Note
from pocketvision.jobs.options import FitOptions
from pocketvision.model.published import Published, published_from
from pocketvision.model.resolve import resolve
from pocketvision.model.transfer import check_is_part
from pocketvision.model.weights.load import Weights, load_weights
from pocketvision.model.weights.locate import find_here

# Where neither a family nor weights are asked for.
AUTO_FAMILY = "mobilenet_v2"


@dataclass(frozen=True, eq=False)
class Start:
    """What training starts from.

    Attributes:
        weights: trained ones; None: they are initialised.
        sentences: what was decided, and what it cost.
    """

    weights: Weights | None = None
    sentences: tuple[str, ...] = ()

    @property
    def has_weights(self) -> bool:
        """Whether training starts from trained weights."""
        return self.weights is not None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, without the arrays."""
        found = self.weights
        named = None if found is None else {"name": found.name, "sha256": found.sha256, "network": found.graph.name}
        return {"weights": named, "sentences": list(self.sentences)}


SCRATCH = Start()


def choose_start(options: FitOptions, seen: Survey) -> Generator[Note, None, Start]:
    """Find the weights that the options ask for; "auto" does without where they cannot be had.

    Raises:
        BadWeights, UnknownWeights: weights were asked for by name, and cannot be had or used.
    """
    asked = str(options.weights)
    if asked == "none" or (asked == "auto" and options.recipe not in ("auto", "finetune")):
        return Start()
    start = Start(_load_asked(options)) if asked != "auto" else _load_auto(options, seen)
    found = start.weights
    if found is not None:
        network = f"{found.graph.source.family} at width {found.graph.source.width:g}"
        sentences = [f"Training starts from {found.name} ({network})."] + [found.assumed] * bool(found.assumed)
        start = Start(found, tuple(sentences))
    for sentence in start.sentences:
        yield Note(sentence)
    return start


def _load_asked(options: FitOptions) -> Weights:
    """Return the weights that were asked for by name or file."""
    found = load_weights(options.weights, options.families)
    have = found.graph.source
    if options.families and have.family not in options.families:
        raise BadWeights(
            f"{found.name} holds {have.family}, and --family {options.family} was asked for.", f"--family {have.family}"
        )
    if options.width is not None and options.width > have.width:
        raise BadWeights(
            f"{found.name} has width {have.width:g}; a network of width {options.width:g} cannot start from narrower weights.",
            f"--width {have.width:g} or less",
        )
    if options.width is not None:
        check_is_part(resolve(**have._replace(width=options.width)._asdict()), found.graph)
    return found


def _load_auto(options: FitOptions, seen: Survey) -> Start:
    """Return published weights for the family and width, those on this machine first; or say why there are none."""
    if seen.short_side_median <= SMALL or (options.resolution or SMALL + 1) <= SMALL:
        return Start()  # ImageNet's filters see photographs
    families = options.families or (AUTO_FAMILY,)
    known = [published for family in families for published in published_from(family, options.width or 1.0)]
    if not known:
        names = " or ".join(families)
        return Start(
            sentences=(f"No published weights of {names} are known for that width: training starts from scratch.",)
        )
    first: Published = next((published for published in known if find_here(published) is not None), known[0])
    try:
        return Start(load_weights(first.name))
    except BadWeights as error:
        return Start(sentences=(f"Training starts from scratch: {error.problem}",))
