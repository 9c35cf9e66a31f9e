"""Jobs as plain functions, for scripts and notebooks: every option of the command line is a keyword."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import fields
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, Unpack, cast, get_args, get_type_hints

from pocketvision.cli.progress import watch
from pocketvision.cost.budget import Budget
from pocketvision.errors import BadOption, nearest
from pocketvision.events import Event, Result, Work, drain, mapped
from pocketvision.jobs import fit as main
from pocketvision.jobs.cut import Written, cut_run, read_front
from pocketvision.jobs.finish.result import Finished
from pocketvision.jobs.options import Asked, FitOptions
from pocketvision.jobs.preview import Preview, preview

Function = TypeVar("Function", bound=Callable[..., Any])
Listen = Callable[[Event], object]

KINDS: Mapping[Any, Any] = {float: Real, int: Integral}  # numpy's numbers are numbers, too
WORDS: Mapping[Any, str] = {NoneType: "None", Callable: "a function"}
ELSEWHERE = {"plan": "pv.plan(data, ...)", "json": "pv.fit(...).to_json()"}  # options that are no keywords


class Run(Finished):
    """What came out of a job, and what can be had of it afterwards."""

    def front(self) -> dict[str, Any]:
        """Return all sizes of an elastic run, see `pocketvision.jobs.sizes.store.front_json`.

        Raises:
            BadOption: the run was not elastic.
        """
        return drain(read_front(self.model.parent))

    def cut(self, budget: Budget, out: str | Path) -> Written:
        """Write the best cut of an elastic run within another budget; nothing is trained.

        Raises:
            BadOption, NoFit, BudgetMissed: see `pocketvision.jobs.cut.cut_run`.
        """
        return drain(cut_run(self.model.parent, Path(out), budget))


def _spelled_out(function: Function) -> Function:
    """Show each option of `Asked` in a function's signature; name wrong, missing and mistyped arguments before it is called."""
    signature, hints = _signature(function), get_type_hints(function) | get_type_hints(Asked)

    @wraps(function)
    def checked(*arguments: Any, **keywords: Any) -> Any:
        _check_names(function.__name__, signature, keywords)
        try:
            bound = signature.bind(*arguments, **keywords)
        except TypeError as error:  # one is missing, or there are too many
            raise BadOption(f"{function.__name__}: {error}.", _example(function.__name__)) from None
        for name, value in bound.arguments.items():
            bound.arguments[name] = _checked(name, value, hints[name], signature.parameters[name].default)
        return function(*bound.args, **bound.kwargs)

    checked.__signature__ = signature  # type: ignore[attr-defined]  # what help() and completion show
    return cast(Function, checked)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return a function's signature with the options in place of `**options`."""
    own = inspect.signature(function)
    defaults = {field.name: field.default for field in fields(FitOptions)} | {"budget": None}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=hint)
        for name, hint in get_type_hints(Asked).items()
    ]
    named = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    return own.replace(parameters=[*named, *options])


def _check_names(verb: str, signature: inspect.Signature, keywords: Mapping[str, Any]) -> None:
    known = list(signature.parameters)
    for wrong in keywords:
        if wrong not in known:
            attempt = ELSEWHERE.get(wrong) or f"{nearest(wrong, known)}=, or help(pv.{verb}), which lists all"
            raise BadOption(f"{verb} has no option {wrong!r}.", attempt)


def _example(verb: str) -> str:
    return 'pv.fit("photos/", out="run", minutes=15)' if verb == "fit" else 'pv.plan("photos/", minutes=15)'


def _checked(name: str, value: Any, hint: Any, default: Any) -> Any:
    """Return a value that has the type of an option; numpy's numbers as Python's.

    Raises:
        BadOption: it has another type.

    >>> _checked("width", 1, float | None, None)
    1
    """
    kinds: list[Any] = [kind if isinstance(kind, type) else Callable for kind in get_args(hint) or (hint,)]
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    right = any(isinstance(value, KINDS.get(kind, kind)) and (kind not in KINDS or is_number) for kind in kinds)
    if not right:
        words = " or ".join(WORDS.get(kind, kind.__name__) for kind in kinds)
        attempt = f"help(pv.fit), or {name}={default!r}" if default is not inspect.Parameter.empty else "a path"
        raise BadOption(f"{name} must be {words}; got {value!r}, {type(value).__name__}.", attempt)
    return value.item() if is_number and hasattr(value, "item") else value


def _run(work: Work[Result], on_event: Listen | None, progress: bool | None) -> Result:
    """Run work to its end; tell the listener, and show progress on stderr if that is asked for."""

    def told(event: Event) -> Event:
        if on_event is not None:
            on_event(event)
        return event

    heard = mapped(work, told)
    with closing(work):
        return watch(heard) if progress or (progress is None and on_event is None) else drain(heard)


@_spelled_out
def fit(
    data: str | Path,
    out: str | Path,
    on_event: Listen | None = None,
    restart: bool = False,
    recheck: bool = False,
    progress: bool | None = None,
    **options: Unpack[Asked],
) -> Run:
    """Train a network on images and write one verified file, out/model.onnx.

    Args:
        data: a folder, a CSV file, a folder of IDX files or the name of a data set.
        out: the run folder; must not exist yet, be empty, or hold this very run, which is then resumed.
        on_event: is called with everything that happens, see `pocketvision.events`.
        restart: move an older run out of the way, once the new one is planned.
        recheck: decode every image for the check, also those that a run in the folder has seen.
        progress: show on stderr what happens: bars on a terminal, else a line now and then. None: unless there is an `on_event`.
        **options: what the command line takes, too.

            latency_ms: budget: one image on one thread, without decoding.
            size_mb: budget: the file, in 10^6 bytes.
            memory_mb: budget: weights and peak activations, in 10^6 bytes.
            macs: budget: multiply-adds for one image, as a number or such as "50M".
            budget: the limits as one `pv.Budget`, instead.
            target: a device file of `pocketvision probe`, where the budget is for another device than this one.
            threads: of the engine for one call, when latency is measured.
            minutes: wall time from start to model.onnx; 15, unless epochs are given.
            epochs: passes over the training images, instead of a time.
            family: of networks, or several, separated by commas; "auto": by the images.
            width: width multiplier; None: by images, budget and time.
            resolution: input side in pixels; None: by images, budget and time.
            output_stride: input side over the last map's side; None: by resolution.
            weights: where training starts: "auto", "none", a name from `pocketvision weights list`, a file or a folder.
            recipe: "auto", "modern", "paper" or "finetune".
            lr: learning rate; None: the recipe's.
            batch_size: images in a step; None: the recipe's.
            class_weights: "auto", "balanced" or "none".
            flip: mirror training images; None: by the class names.
            elastic: train all sizes at once, then cut.
            seed: of weights, order and augmentation.
            accelerator: where training runs: "auto", "cpu", "cuda" or "mps".
            precision: of the file: "auto", "fp32", "int8" or "fp16-storage".
            training_precision: "auto", "float32" or "bfloat16".
            cache_gb: largest size of the folder of decoded images, in 10^9 bytes; 0: no such folder.

    Raises:
        PocketvisionError: see `pocketvision.errors`.
    """
    work = main.fit(data, out, FitOptions.of(**options), restart, recheck)
    return Run(**vars(_run(work, on_event, progress)))


@_spelled_out
def plan(
    data: str | Path, on_event: Listen | None = None, progress: bool | None = None, **options: Unpack[Asked]
) -> Preview:
    """Return what `fit` would train, as `pocketvision fit --plan` shows it; nothing is trained or written.

    Args:
        data: as for `fit`.
        on_event: as for `fit`.
        progress: as for `fit`.
        **options: as for `fit`.

    Raises:
        PocketvisionError: see `pocketvision.errors`.
    """
    return _run(preview(data, FitOptions.of(**options)), on_event, progress)
