"""When a run may be gone on with, and what is said when it stops."""

from typing import Any

from pocketvision.data.manifest import Manifest, differences, read_manifest
from pocketvision.errors import DiskFailed, Interrupted
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.train.checkpoint import load_checkpoint

NEEDED = (
    "options",
    "start",
    "model",
    "recipe",
    "epochs",
    "steps_per_epoch",
    "augmentation",
    "preprocessing",
)  # of plan.json
NEWER = {"elastic": False}  # options that runs begun by an older release may lack, with what they did


def require_same(run: RunFolder, manifest: Manifest, options: FitOptions) -> None:
    """Raise RunFolderInUse where the run in the folder was begun with other options or images, BadData where it is damaged."""
    plan, asked = run.read_plan(), options.to_json()
    if missing := [name for name in NEEDED if name not in plan]:
        raise run.damaged(f"it has no {missing[0]!r}")
    before = as_now(plan["options"])
    was = NEWER | {name: value for name, value in before.items() if value is not None or name not in NEWER}
    differing = [f"{name} {was.get(name)}, not {asked[name]}" for name in asked if was.get(name) != asked[name]]
    if differing:
        raise run.refuse(f"with other options: {'; '.join(differing)}")
    changes = differences(read_manifest(run.path), manifest)
    if changes:
        raise run.refuse(f"with other images; since then: {'; '.join(changes)}")


def as_now(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a run that was perhaps begun when `precision` was the training's, and every file was in floats.

    >>> as_now({"seed": 0, "precision": "float32"})
    {'seed': 0, 'precision': 'auto', 'training_precision': 'float32'}
    """
    if "training_precision" in options:
        return options
    return {**options, "training_precision": options.get("precision", "auto"), "precision": "auto"}


def interrupted(run: RunFolder) -> Interrupted:
    """Return the error that says how far the run got."""
    if not (run.was_opened or run.is_begun):
        return Interrupted("stopped before training began; nothing was trained.", "the same command again")
    return Interrupted(f"stopped {_reached(run)}.", "the same command, which goes on from there")


def disk_failed(run: RunFolder, error: OSError) -> DiskFailed:
    """Return the error for a disk that is full or refuses: what is safe, and how to go on."""
    where = f" at {error.filename!r}" if error.filename else ""
    what = _reached(run) if run.was_opened or run.is_begun else "before anything was written"
    return DiskFailed(
        f"the system says {error.strerror or error}{where}; stopped {what}.",
        "free space or permission there, then the same command, which goes on from there",
    )


def _reached(run: RunFolder) -> str:
    """Say what the last checkpoint holds."""
    snapshot = load_checkpoint(run.checkpoint)
    if snapshot is None:
        return "before the first checkpoint"
    numbers, content = snapshot.numbers, run.read_plan()
    steps = content["steps_per_epoch"]
    pick = load_checkpoint(run.checkpoint_of_pick)
    if pick is not None and pick.numbers["done"] < pick.numbers["total"]:
        return (
            f"in the pick's training, after step {pick.numbers['done']} of {pick.numbers['total']}; "
            f"saved in {run.checkpoint_of_pick}"
        )
    trained = run.checkpoint if pick is None else run.checkpoint_of_pick
    on_all = (run.read_pick() or content).get("epochs_on_all", 0)
    last = load_checkpoint(run.checkpoint_of_all)
    if last is not None and last.numbers["done"] < last.numbers["total"]:
        return (
            f"in the epochs on all images, after step {last.numbers['done']} of {last.numbers['total']}; "
            f"saved in {run.checkpoint_of_all}"
        )
    if numbers["done"] >= numbers["total"] and on_all and last is None:
        return f"after training, before the epochs on all images; the weights are in {trained}"
    if numbers["done"] >= numbers["total"]:
        where = trained if last is None else run.checkpoint_of_all
        return f"after training, before the file was written; the weights are in {where}"
    epochs = -(-numbers["total"] // steps)
    return (
        f"in epoch {numbers['closed'] + 1} of {epochs}, after step {numbers['done'] - numbers['closed'] * steps} of {steps}; "
        f"saved in {run.checkpoint}"
    )
