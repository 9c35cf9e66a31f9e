"""pocketvision info: what a file says about itself."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.output import print_json, print_table
from pocketvision.text import plural


def info(
    file: Annotated[Path, Argument(help="A model file that pocketvision fit wrote.")],
    json: Annotated[bool, Option("--json", help="Write the whole record as JSON.")] = False,
) -> None:
    """Show a file's network, labels, preprocessing, accuracy and origin."""
    import json as json_module

    from pocketvision.run.fastest import known_choice
    from pocketvision.run.predictor import read_bytes
    from pocketvision.run.record import record_of

    model = read_bytes(file)
    record = record_of(model)
    if json:
        print_json(json_module.loads(record.to_json()))
        return
    rows = _rows(record, len(model))
    if choice := known_choice(model):
        rows.append(("engine here", _engine(choice)))
    print_table(("what", "value"), rows, left=2)


def _rows(record: Any, size_bytes: int) -> list[tuple[str, str]]:
    from pocketvision.cost.budget import Budget

    model, metrics, provenance = record.model, record.metrics, record.provenance
    names = ", ".join(record.labels[:8]) + (", ..." if len(record.labels) > 8 else "")
    mode, interpolation = record.preprocessing.mode, record.preprocessing.interpolation
    rows = [
        ("task", record.task),
        ("network", f"{model['name']}: {model['params']:,} parameters, {model['macs']:,} multiply-adds"),
        ("file", f"{size_bytes / 1e6:.2f} MB, {_precision(record)}"),
        ("input", f"{record.resolution} x {record.resolution} {'grey' if record.channels == 1 else 'RGB'}, uint8"),
        ("preprocessing", f"{mode}, {interpolation}"),
        ("labels", f"{len(record.labels)}: {names}"),
        ("unknown below", f"probability {record.unknown_threshold:.3f}"),
    ]
    for part in ("test", "validation"):
        if part in metrics:
            found = metrics[part]
            is_learnt = part in metrics.get("data", {}).get("trained_on", ())
            top1 = f"top-1 {found['top1']:.4f} +- {found['standard_error']:.4f} on {found['images']:,} images"
            rows.append((part, top1 + ", before training on them" * is_learnt))
            rows.append((f"{part} calibration error", f"{found['ece']:.4f}, before {found['ece_uncalibrated']:.4f}"))
    if "published" in metrics:
        found = metrics["published"]
        rows.append(("published", f"ImageNet top-1 {found['imagenet_top1']:.1f} % at {found['resolution']} pixels"))
    budget = Budget(**provenance.get("options", {}).get("budget", {}))
    if budget:
        rows.append(("budget", f"{budget}; {provenance.get('target', '')}".removesuffix("; ")))
    rows += [("measured", _measured(latency)) for latency in record.latencies]
    if provenance.get("weights"):
        rows.append(("weights", f"{provenance['weights']['name']}, SHA-256 {provenance['weights']['sha256'][:12]}"))
    if "data" in metrics:
        rows.append(("data", f"{metrics['data']['name']}, fingerprint {metrics['data']['fingerprint'][:12]}"))
    rows.append(("made", f"{provenance['date']}, " + ", ".join(f"{k} {v}" for k, v in provenance["versions"].items())))
    return rows


def _precision(record: Any) -> str:
    """Return the precision of the weights, and the accuracy that it cost."""
    precision, said = record.model.get("precision", "fp32"), record.provenance.get("compressed")
    if said is None:
        return str(precision)
    if "problem" in said:
        return f"{precision}, as another precision did not pass: {said['problem']}"
    verdict, floats = said["verdict"], said["floats"]
    words = (
        f"{precision}: {verdict['drop']:+.2f} +- {100 * verdict['standard_error']:.2f} points lost on validation images"
    )
    words += f", by rung {said['rung']}" * bool(said["rung"])
    words += ", 7-bit weights: the same answers on every processor" * (record.model.get("weight_bits") == 7)
    return f"{words}, {len(floats)} layers in fp32" if floats else words


def _measured(latency: dict[str, Any]) -> str:
    threads = plural(latency["threads"], "thread")
    memory = "" if latency["rss_mb"] is None else f", {latency['rss_mb']:.0f} MB in all"
    return (
        f"{latency['latency_ms']:.3f} +- {latency['noise_ms']:.3f} ms, with decoding {latency['label_ms']:.3f}{memory}; "
        f"{latency['device']}, {threads}, {latency['engine']} {latency['engine_version']}"
    )


def _engine(choice: Any) -> str:
    """Return which engine was the fastest for this file on this machine, with all cores."""
    told = [f"{name} {median:.3f} +- {noise:.3f} ms" for name, (median, noise) in choice.timings.items()]
    told += [f"{name} refused: {why}" for name, why in choice.refused.items()]
    return f"{choice.engine}, measured {choice.date}: {', '.join(told)}"
