"""Facts of runs that nobody ran, for the tests of the report: gathered as `fit` gathers them, from made-up logits."""

from dataclasses import asdict
from typing import Any

import numpy as np

from graphs import random_arrays, small
from pocketvision.cost.budget import Budget, Spent
from pocketvision.cost.count import count
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.events import Epoch, drain
from pocketvision.jobs.options import FitOptions
from pocketvision.report.facts import Facts
from pocketvision.report.gather import Sources, gather
from pocketvision.run.assess import assess
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.record import Record
from pocketvision.train.recipe import find_recipe

HOSTILE = "<b>&\"'🦊"  # a class, a key, a name: none of it may become HTML
MEASURED = {
    "device": "Board <1>, 2 cores",
    "system": "Linux x86_64",
    "engine": "onnxruntime",
    "engine_version": "1.30.0",
    "threads": 1,
    "date": "2026-11-24",
    "latency_ms": 0.1234,
    "p95_ms": 0.15,
    "noise_ms": 0.0123,
    "label_ms": 0.5678,
    "load_ms": None,
    "rss_mb": None,
}


def class_names(classes: int) -> tuple[str, ...]:
    return (HOSTILE, *(f"class {number}" for number in range(1, classes)))


def images(classes: int, each: int) -> Dataset:
    rng = np.random.default_rng(0)
    samples = tuple(Sample(f"{HOSTILE}/{i:05}.png", i % classes) for i in range(classes * each))
    return Dataset(HOSTILE, class_names(classes), samples, rng.integers(0, 256, (len(samples), 20, 28), np.uint8))


def made_logits(labels: np.ndarray, classes: int, skill: float, seed: int = 0) -> np.ndarray:
    """Noise, with the right class somewhat above it; class 1 is often taken for class 0."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (len(labels), classes)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += skill
    logits[labels == 1, 0] += 0.8 * skill
    return logits


def epochs(number: int) -> list[Epoch]:
    return [
        Epoch(
            i + 1, number, 2.0 / (i + 1), 1.5 / (i + 1), 1 - 0.5 / (i + 1), 0.1 * (1 - (i + 1) / number), 12.3, 4567.0
        )
        for i in range(number)
    ]


def candidates(timed: bool, limit: float) -> list[dict[str, Any]]:
    found = []
    for number, width in enumerate((1.0, 0.75, 0.5, 0.25)):
        latency = 0.4 * width**1.5
        found.append(
            {
                "name": f"mobilenet_v1_w{width:.2f}_r32",
                "expected_imagenet_top1": 60.0 - 4 * number,
                "latency_ms": round(latency, 4) if timed else None,
                "noise_ms": round(0.05 * latency, 4) if timed else None,
                "is_predicted": number == 1 if timed else None,
                "size_mb": 12.0 * width**2,
                "memory_mb": 13.0 * width**2,
                "macs": int(4e7 * width**2),
                "epochs": None,
                "dropped": f"{latency:.3g} > {limit} ms" if timed and latency > limit else "",
            }
        )
    return found


def front(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """The same networks as sizes of one, the cheaper ones worse."""
    rows = [
        {**row, "network": row["name"], "validation_top1": 0.9 - 0.05 * number, "is_on_front": number != 2}
        for number, row in enumerate(listed)
    ]
    fitting = [row["name"] for row in rows if not row["dropped"]]
    return {
        "network": listed[0]["name"],
        "device": "Board <1>, 2 cores",
        "pick": fitting[0],
        "runner_up": (fitting[1:] or [""])[0],
        "cuts": [{key: value for key, value in row.items() if key != "name"} for row in rows],
    }


VERDICT = {
    **{"drop": 0.42, "images": 90, "float_top1": 0.9, "top1": 0.8958, "standard_error": 0.004, "p": 0.25},
    **{"agreement": 0.97, "problems": ["97.0% of 90 labels agree (98% are <needed>)"]},
}
COMPRESSED = {
    "rung": 2,
    "verdict": VERDICT | {"problems": []},
    "floats": ["block3.<depthwise>"],
    "tried": [
        {"rung": 1, "what": "static ranges, largest", **VERDICT},
        {"rung": 2, "what": "equalised", **VERDICT, "problems": []},
    ],
}


def made_facts(
    classes: int = 3,
    each: int = 20,
    skill: float = 3.0,
    has_test: bool = True,
    budget: Budget = Budget(),  # noqa: B008
    is_here: bool = True,
    trained: int = 3,
    trials: bool = False,
    findings: list[dict[str, str]] | None = None,
    channels: int = 3,
    elastic: bool = False,
    compressed: dict[str, Any] | None = None,
) -> Facts:
    """Gather the facts of a run on made-up images."""
    dataset = images(classes, each)
    indices = np.arange(0, len(dataset), 2)
    labels = dataset.labels[indices]
    graph = small("mobilenet_v1", classes=classes, in_channels=channels)
    logits = made_logits(labels, classes, skill)
    found = {part: drain(assess([logits], labels, part)) for part in ("validation", "test")}
    assessment = found["test" if has_test else "validation"]
    parts = ("validation", "test") if has_test else ("validation",)
    options = FitOptions(epochs=max(1, trained), budget=budget)
    record = Record(
        task="classification",
        labels=dataset.classes,
        resolution=32,
        channels=channels,
        preprocessing=Preprocessing(),
        model={},
        metrics={
            "data": {
                "name": dataset.name,
                "fingerprint": dataset.fingerprint(),
                "split": "as given.",
                "images": {"train": 100, "validation": len(indices), "test": len(indices) * has_test},
            },
            **{part: found[part].evaluation.to_json() for part in parts},
        },
        temperature=assessment.calibration.temperature,
        unknown_threshold=assessment.calibration.unknown_threshold,
        provenance={
            "versions": {"pocketvision": "0.1.0"},
            "date": "2026-11-24",
            "options": options.to_json(),
            "recipe": "modern",
            "epochs": trained,
            "training_precision": "float32",
            "target": "Board <1>, 2 cores",
            **({} if compressed is None else {"compressed": compressed}),
        },
        goldens=make_goldens(np.zeros((len(golden_images(1, 32, channels)), classes), np.float32)),
        latencies=(MEASURED,),
    )
    timed = budget.latency_ms is not None
    listed = candidates(timed, budget.latency_ms or 0.0)
    pick = next(c["name"] for c in listed if not c["dropped"])
    plan = {
        "network": pick,
        "reason": "the likeliest best",
        "start": {"weights": None, "sentences": ["Training starts from <made-up> weights."]},
        "target": "Board <1>, 2 cores",
        "candidates": listed,
        "trials": [{"name": pick, "steps": 400, "top1": 0.81}] if trials else [],
        "recipe": asdict(find_recipe("modern")),
        "steps_per_epoch": 10,
        "training_precision": "float32",
    }
    cost = count(graph)
    latency = {"latency_ms": 0.1234, "noise_ms": 0.0123} if is_here else {}
    return gather(
        Sources(
            record=record,
            plan=plan,
            epochs=epochs(trained),
            graph=graph,
            arrays=random_arrays(graph),
            dataset=dataset,
            indices=indices,
            assessment=assessment,
            spent=Spent(macs=cost.macs, memory_mb=cost.memory_mb, size_mb=0.95, **latency),
            minutes=1.25,
            findings=findings,
            front=front(listed) if elastic else None,
        )
    )
