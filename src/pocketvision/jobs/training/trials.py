"""Trials: each finalist is trained for a moment, with a whole schedule of its own; the best is then trained for real.

Successive halving with one rung. Source: Jamieson and Talwalkar 2016, arXiv:1502.07943.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.events import Note, Work
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.training.training import Training
from pocketvision.run.paired import is_better

# Of the planned steps, that a trial takes.
TRIAL_SHARE = 0.05
# With fewer, networks of few pixels look better than they end: docs/log.md.
FEWEST_STEPS = 400
# Standard errors by which a network must be better than one that the prior puts before it.
CERTAIN = 2.0


@dataclass(frozen=True)
class Outcome:
    """How the trials ended.

    Attributes:
        winner: the one to train.
        trials: for each network its name, top-1 after the trial, steps of it; empty where none was held.
    """

    winner: Training
    trials: tuple[dict[str, Any], ...] = ()


def hold_trials(finalists: Sequence[Training]) -> Work[Outcome]:
    """Try each finalist for as many steps, and return the best. The prior's order is overruled only by what is no noise.

    Args:
        finalists: in the order of the prior.
    """
    if len(finalists) == 1:
        return Outcome(finalists[0])
    steps = trial_steps([training.plan for training in finalists])
    if steps < FEWEST_STEPS:
        yield Note("There is no time or too few images for a trial of several networks: the prior decides.")
        return Outcome(finalists[0])
    hits, trials = [], []
    for training in finalists:
        name = training.plan.name
        found = yield from training.try_out(steps)
        yield Note(f"Trial: {name}, top-1 {found.mean():.4f} after {steps} steps.")
        hits.append(found)
        trials.append({"name": name, "steps": steps, "top1": round(float(found.mean()), 4)})
    best = choose_winner(hits)
    if best:
        yield Note(f"{finalists[best].plan.name} was better than the prior thought.")
    return Outcome(finalists[best], tuple(trials))


def trial_steps(plans: Sequence[Plan]) -> int:
    """Return the steps of each trial: a share of the shortest plan."""
    return int(TRIAL_SHARE * min(plan.epochs * plan.steps for plan in plans))


def choose_winner(hits: Sequence[NDArray[np.bool_]]) -> int:
    """Return the index of the winner: a later one must be better by two standard errors, paired on the same images.

    >>> choose_winner([np.array([True, False] * 50), np.array([True, True, False, False] * 25)])
    0
    """
    winner = 0
    for challenger in range(1, len(hits)):
        if is_better(hits[challenger], hits[winner], CERTAIN):
            winner = challenger
    return winner
