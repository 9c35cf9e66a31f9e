"""When a run may be resumed, and what is said when it stops."""

from pocketvision.data.manifest import Manifest, differences
from pocketvision.errors import DiskFailed, Interrupted
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.runs.folder import STAGES, RunFolder

# Of plan.json, besides what a plan is read from: see `_take_up` in jobs/fit.py.
NEEDED = ("options", "start", "target", "threads", "kernels")


def require_same(run: RunFolder, before: Manifest, now: Manifest, options: FitOptions) -> None:
    """Require that a run was begun with the same options and images.

    Args:
        run: its folder.
        before: the images that it was begun with.
        now: the images as they are.
        options: that are asked for.

    Raises:
        RunFolderInUse: there are other options or images.
        BadData: plan.json is damaged.
    """
    plan, asked = run.read_plan(), options.to_json()
    if missing := [name for name in NEEDED if name not in plan]:
        raise run.damaged(f"it has no {missing[0]!r}")
    was = plan["options"]
    differing = [f"{name} {was.get(name)}, not {asked[name]}" for name in asked if was.get(name) != asked[name]]
    if differing:
        raise run.refuse(f"with other options: {'; '.join(differing)}")
    if changes := differences(before, now):
        raise run.refuse(f"with other images; since then: {'; '.join(changes)}")


def interrupted(run: RunFolder) -> Interrupted:
    """Return the error that says how far the run got."""
    if run.state == "new":
        return Interrupted("stopped before training began; nothing was trained.", "the same command again")
    return Interrupted(f"stopped {reached(run)}.", "the same command, which resumes there")


def disk_failed(run: RunFolder, error: OSError) -> DiskFailed:
    """Return the error for a disk that is full or refuses: what is safe, and how to resume."""
    where = f" at {error.filename!r}" if error.filename else ""
    what = "before anything was written" if run.state == "new" else reached(run)
    return DiskFailed(
        f"the system says {error.strerror or error}{where}; stopped {what}.",
        "free space or permission there, then the same command, which resumes there",
    )


def reached(run: RunFolder) -> str:
    """Say how far the stages of a run are that were saved."""
    saved = run.saved()
    if not saved:
        return "before the first checkpoint"
    name, at = saved[-1]
    if at["done"] < at["total"]:
        epochs, step = -(-at["total"] // at["steps"]), at["done"] - at["closed"] * at["steps"]
        return (
            f"in epoch {at['closed'] + 1} of {epochs} of {STAGES[name]}, after step {step} of {at['steps']}; "
            f"saved in {run.stage(name)}"
        )
    plan = run.read_pick() or run.read_plan()
    comes = STAGES["all"] if plan.get("epochs_on_all") and name != "all" else "the file was written"
    if run.read_plan().get("elastic") and name == "main":
        comes = STAGES["pick"]
    return f"after {STAGES[name]}, before {comes}; the weights are in {run.stage(name)}"
