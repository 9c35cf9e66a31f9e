"""The search: what cannot fit the budget or be trained in time is dropped; the prior orders the rest."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pocketvision.choose.candidates import Candidate
from pocketvision.cost.budget import Budget, written
from pocketvision.errors import NoFit

# Epochs of a training from scratch; with fewer, a larger network does no better than a smaller one with these: docs/log.md
ENOUGH_EPOCHS = 8
ENOUGH_WITH_WEIGHTS = 3  # epochs, where training starts from published weights: docs/log.md
NO_TIME = "no time for "  # and so many epochs: how the reason begins
FINALISTS = 3  # that are tried briefly before the best is trained

UNITS = {"latency_ms": "ms", "size_mb": "MB", "memory_mb": "MB of memory", "macs": "multiply-adds"}


def screen(candidates: Sequence[Candidate], budget: Budget, device: str) -> list[Candidate]:
    """Return all candidates, with those that break a limit marked as dropped.

    Args:
        candidates: with their latencies, where that is limited.
        budget: the limits.
        device: name of the device, for the message.

    Raises:
        NoFit: none is left.
    """
    screened = [
        candidate if candidate.dropped else candidate.drop(_reason(candidate, budget)) for candidate in candidates
    ]
    if all(candidate.dropped for candidate in screened):
        raise _no_fit(candidates, budget, device)
    return screened


def _reason(candidate: Candidate, budget: Budget) -> str:
    return ", ".join(
        f"{written(name, candidate.spent.of(name) or 0)} > {budget.limit(name)} {UNITS[name]}"
        for name in budget.missed(candidate.spent)
    )


def _no_fit(candidates: Sequence[Candidate], budget: Budget, device: str) -> NoFit:
    """Return the error that names the nearest candidate, and what to relax."""
    known = [candidate for candidate in candidates if not candidate.dropped or budget.missed(candidate.spent)]
    nearest = min(known, key=lambda candidate: budget.excess(candidate.spent))
    missed = budget.missed(nearest.spent)
    at = " and ".join(f"{name} {written(name, nearest.spent.of(name) or 0)}" for name in missed)
    relaxed = " ".join(f"--{name.replace('_', '-')} {written(name, nearest.spent.of(name) or 0)}" for name in missed)
    return NoFit(
        f"no candidate has {str(budget).replace(', ', ' and ')} on {device!r}. "
        f"Closest of {len(candidates)}: {nearest.name} at {at}.",
        relaxed,
    )


def drop_untrainable(
    candidates: Sequence[Candidate],
    measure: Callable[[Candidate], float],
    steps_per_epoch: int,
    seconds: float,
    enough: int = ENOUGH_EPOCHS,
) -> list[Candidate]:
    """Return all candidates, with those marked as dropped that cannot be trained for enough epochs in the time.

    If none can, the cheapest stays in. A step is timed for few of them, found by bisection: more multiply-adds take longer.

    Args:
        candidates: in any order.
        measure: candidate -> seconds of one optimizer step, here and now.
        steps_per_epoch: optimizer steps in one epoch.
        seconds: that training may take.
        enough: epochs that are needed.
    """
    rising = sorted((c for c in candidates if not c.dropped), key=lambda candidate: candidate.spent.macs)
    epochs: dict[str, float] = {}

    def is_enough(candidate: Candidate) -> bool:
        epochs[candidate.name] = seconds / (steps_per_epoch * measure(candidate))
        return epochs[candidate.name] >= enough

    low, high = 0, len(rising)  # the cheapest `low` are trainable, those from `high` on are not
    while low < high:
        middle = (low + high) // 2
        if is_enough(rising[middle]):
            low = middle + 1
        else:
            high = middle
    kept = {candidate.name for candidate in rising[: max(1, low)]}
    return [
        replace(
            candidate,
            epochs=epochs.get(candidate.name),
            dropped=candidate.dropped or ("" if candidate.name in kept else f"{NO_TIME}{enough} epochs"),
        )
        for candidate in candidates
    ]


def finalists(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the few that are worth a trial: the best by the prior for each resolution, or for each family if there are several.

    More channels are known to help; the effect of a few more pixels, or of another family, is not known.
    """
    left = [candidate for candidate in candidates if not candidate.dropped]
    families = {candidate.options.family for candidate in left}
    tried: dict[object, Candidate] = {}
    for candidate in left:
        have = candidate.options
        tried.setdefault(have.family if len(families) > 1 else have._replace(width=0.0), candidate)
    return list(tried.values())[:FINALISTS]
