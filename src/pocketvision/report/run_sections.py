"""The sections about the run: result, choice, training, costs, use and provenance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pocketvision.cost.budget import written
from pocketvision.events import Epoch
from pocketvision.report.charts import Line, choice_charts, front_charts, known_axis, line_chart
from pocketvision.report.facts import Candidate, Facts, Front, Limit
from pocketvision.report.html import box, details, fact, figure, legend, name, percent, table, text
from pocketvision.text import plural

LIMITS = {  # words and unit of each limit
    "latency_ms": ("latency + noise", "ms"),
    "size_mb": ("file", "MB"),
    "memory_mb": ("memory", "MB"),
    "macs": ("multiply-adds", ""),
}
SHOWN_LABELS = 10  # in the example; with more, they are read from the file


def result(facts: Facts) -> str:
    """The run at a glance."""
    score, measured = facts.score, facts.measured
    calls = f"{plural(measured.threads, 'thread')}, {text(measured.engine)} {text(measured.engine_version)}"
    rss = "" if measured.rss_mb is None else f"; the whole process {measured.rss_mb:.0f} MB"
    tiles = (
        (
            "right answers",
            fact("top1", percent(score.top1)),
            f"± {fact('standard-error', percent(score.standard_error))} standard error, top-1 on "
            f"{fact('images', f'{score.images:,}')} {text(score.part)} images",
        ),
        (
            "one image takes",
            f"{fact('latency', f'{measured.latency_ms:.3f}')} <small>ms</small>",
            f"± {fact('noise', f'{measured.noise_ms:.3f}')} ms, {calls}; from file to label "
            f"{fact('label', f'{measured.label_ms:.3f}')} ms; on {name(measured.device)}",
        ),
        (
            "the file",
            f"{fact('size', f'{facts.size_mb:.2f}')} <small>MB</small>",
            f"{fact('params', f'{facts.params:,}')} parameters, {fact('macs', f'{facts.macs:,}')} multiply-adds",
        ),
        (
            "memory",
            f"{fact('memory', f'{facts.memory_mb:.2f}')} <small>MB</small>",
            f"weights and activations, counted{rss}",
        ),
        (
            "the run took",
            f"{fact('minutes', f'{facts.minutes:.1f}')} <small>min</small>",
            f"{plural(len(facts.training.curve), 'epoch')} of training and everything else",
        ),
    )
    items = "".join(
        f'<div class="tile"><dt>{title}</dt><dd class="figure">{value}</dd><dd>{below}</dd></div>'
        for title, value, below in tiles
    )
    return f'<dl class="tiles">{items}</dl>{_budget(facts)}'


def _budget(facts: Facts) -> str:
    if not facts.budget:
        return "<p>No budget was set: nothing limits latency, size, memory or multiply-adds.</p>"
    rows = [_limit_row(limit) for limit in facts.budget]
    kept = all(limit.spent is None or limit.spent <= limit.budget for limit in facts.budget)
    verdict = "The budget is kept." if kept else "The budget is not kept."
    if any(limit.spent is None for limit in facts.budget):
        verdict = "What could be measured here keeps the budget." if kept else verdict
        device = name(facts.choice.device)
        verdict += f" The latency is for {device}: measure it there with <code>pocketvision probe model.onnx</code>."
    kind = "kept" if kept else "missed"
    return f'<p class="{kind}">{fact("verdict", verdict)}</p>' + table(
        "budget", ("limit", "budget", "this file", ""), rows, kind="slim"
    )


def _limit_row(limit: Limit) -> tuple[str, ...]:
    words, unit = LIMITS.get(limit.name, (limit.name, ""))
    allowed = f"{limit.budget:,.10g} {unit}"
    if limit.spent is None:
        return words, allowed, "not known here", ""
    verdict = "kept" if limit.spent <= limit.budget else f"over by {percent(limit.spent / limit.budget - 1, 1)}"
    figure = f"{limit.spent:,.0f}" if limit.name == "macs" else written(limit.name, limit.spent)
    return words, allowed, f"{figure} {unit}", verdict


def choice(facts: Facts) -> str:
    """Which networks were considered, and why this one."""
    chosen = facts.choice
    budgets = {limit.name: limit.budget for limit in facts.budget}
    axis = known_axis(chosen.candidates, list(budgets))
    out = sum(bool(candidate.dropped) for candidate in chosen.candidates)
    alternative = (
        f"{plural(len(chosen.candidates), 'network')} by cost and expected accuracy; {out} are out; "
        f"the pick is {chosen.pick}. The table below has the same figures."
    )
    missing = sum(getattr(candidate, axis) is None for candidate in chosen.candidates)
    note = f" {plural(missing, 'network')} without that figure: in the table only." if missing else ""
    marks = [("dot pick", "the pick"), ("dot in", "within the limits")]
    marks += [("dot out", "out")] if out else []
    marks += [("ring", "tried")] if chosen.trials else []
    marks += [("dot square", "predicted, not measured")] if axis == "latency_ms" and _predicted(facts) else []
    device = f"Device of the budget: {name(chosen.device)}." if facts.budget else ""
    caption = legend(marks) + device + note
    drawn = figure(choice_charts(chosen, axis, budgets.get(axis), alternative), caption)
    return f"<p><b>{name(chosen.pick)}</b>: {text(chosen.reason)}.</p>{drawn}{_candidates(facts)}"


def sizes(facts: Facts) -> str:
    """All sizes of an elastic network, the front among them; empty if one size was trained alone."""
    front = facts.front
    if front is None:
        return ""
    by_name = {cut.name: cut for cut in front.cuts}
    pick, best = by_name[front.pick], max(front.cuts, key=lambda cut: cut.top1)
    budgets = {limit.name: limit.budget for limit in facts.budget}
    axis = known_axis(front.cuts, list(budgets))
    number = plural(len(front.cuts), "size")
    words = (
        f"{fact('cuts', number)} of {name(front.network)} come from one training. The pick is <b>{name(pick.name)}</b>, "
        f"{fact('pick-top1', percent(pick.top1))} right on validation images before further training"
    )
    if front.runner_up:
        words += f"; the runner-up is {name(front.runner_up)}, {percent(by_name[front.runner_up].top1)}"
    if best.top1 > pick.top1:
        words += f". The best of all sizes, {name(best.name)}, has {percent(best.top1)}: "
        words += f"{100 * (best.top1 - pick.top1):.1f} points are the price of the budget and its margin"
    alternative = f"{number} by cost and validation top-1; the pick is {pick.name}. The table has the same figures."
    marks = [("dot pick", "the pick"), ("dot in", "within the limits")]
    marks += [("dot out", "over the budget")] if any(cut.dropped for cut in front.cuts) else []
    marks += [("line first", "better than all cheaper ones")]
    caption = legend(marks) + f"Latencies on {name(front.device)}."
    drawn = figure(front_charts(front, axis, budgets.get(axis), alternative), caption)
    numbers = details("The same as numbers", table("all sizes", *_sizes_table(front)))
    more = '<p class="note">Another size from this run: <code>pocketvision cut RUN --latency-ms MS -o small.onnx</code></p>'
    return f"<p>{words}.</p>{drawn}{numbers}{more}"


def _sizes_table(front: Front) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    header = ("network", "validation top-1", "ms", "±", "MB", "memory MB", "M multiply-adds", "")
    rows: list[tuple[str, ...]] = [
        (
            name(cut.name),
            percent(cut.top1),
            "" if cut.latency_ms is None else f"{cut.latency_ms:.3f}",
            "" if cut.noise_ms is None else f"{cut.noise_ms:.3f}",
            f"{cut.size_mb:.2f}",
            f"{cut.memory_mb:.2f}",
            f"{cut.macs / 1e6:,.1f}",
            "<b>pick</b>"
            if cut.name == front.pick
            else text(cut.dropped) or ("on the front" if cut.is_on_front else ""),
        )
        for cut in sorted(front.cuts, key=lambda cut: (cut.latency_ms or 0.0, cut.macs))
    ]
    return header, rows


def _predicted(facts: Facts) -> bool:
    return any(candidate.is_predicted for candidate in facts.choice.candidates)


def _candidates(facts: Facts) -> str:
    chosen = facts.choice
    trials = {trial.name: trial for trial in chosen.trials}
    is_timed = any(candidate.latency_ms is not None for candidate in chosen.candidates)
    header = ["network", "verdict", "expected"] + ["trial"] * bool(trials) + ["ms", "±"] * is_timed
    rows = []
    for candidate in chosen.candidates:
        trial = trials.get(candidate.name)
        row = [name(candidate.name), _verdict(facts, candidate), f"{candidate.expected_imagenet_top1:.1f} %"]
        if trials:
            row.append("" if trial is None else percent(trial.top1))
        if is_timed:
            row += _latency_cells(candidate)
        rows.append([*row, f"{candidate.size_mb:.2f}", f"{candidate.memory_mb:.2f}", f"{candidate.macs / 1e6:,.1f}"])
    notes = ["Expected: ImageNet top-1 of published networks at the same cost."]
    if chosen.trials:
        notes.append(f"Trial: validation top-1 after {plural(chosen.trials[0].steps, 'step')}.")
    if is_timed and "latency_ms" in {limit.name for limit in facts.budget}:
        notes.append(
            "A network is within the latency budget if its time plus twice the noise is: that of this timing and of the next."
        )
    if is_timed and _predicted(facts):
        notes.append("*: predicted between measured widths.")
    header += ["MB", "memory MB", "M multiply-adds"]
    return table("all networks that were considered", header, rows, left=2) + f'<p class="note">{" ".join(notes)}</p>'


def _verdict(facts: Facts, candidate: Candidate) -> str:
    if candidate.name == facts.choice.pick:
        return "<b>pick</b>"
    is_tried = any(trial.name == candidate.name for trial in facts.choice.trials)
    return text(candidate.dropped) or ("tried" if is_tried else "not tried")


def _latency_cells(candidate: Candidate) -> list[str]:
    if candidate.latency_ms is None:
        return ["", ""]
    star = "*" if candidate.is_predicted else ""
    return [f"{candidate.latency_ms:.3f}{star}", f"{candidate.noise_ms or 0:.3f}"]


def training(facts: Facts) -> str:
    """The training curves."""
    how, curve = facts.training, facts.training.curve
    words = (
        f"Recipe {name(how.recipe)}: {plural(len(curve), 'epoch')} of {plural(how.steps_per_epoch, 'step')}, "
        f"{plural(how.batch_size, 'image')} each, in {text(how.precision)}."
    )
    if how.start:
        words = f"{fact('start', text(' '.join(how.start)))} {words}"
    if how.on_all:
        more = fact("on-all", text(how.on_all))
        words += (
            f" Then {more}, with the validation images, too; curves, temperature and threshold are from before that."
        )
    if not curve:
        return f"<p>{words}</p><p>The training log has no epochs.</p>"
    header = ("epoch", "loss", "validation loss", "validation top-1", "learning rate", "seconds")
    rows = [
        (
            str(e.epoch),
            f"{e.loss:.4f}",
            f"{e.validation_loss:.4f}",
            percent(e.validation_top1),
            f"{e.lr:.4g}",
            f"{e.seconds:.0f}",
        )
        for e in curve
    ]
    numbers = details("The same as numbers", table("training by epoch", header, rows))
    return f'<p>{words}</p><div class="row">{_curves(curve)}</div>{numbers}'


def _curves(curve: Sequence[Epoch]) -> str:
    """Return loss, accuracy and learning rate over the epochs."""
    first, last, went = curve[0], curve[-1], f"over {plural(len(curve), 'epoch')}"

    def line(name: str, kind: str = "first", factor: float = 1.0) -> Line:
        return Line([(e.epoch, factor * getattr(e, name)) for e in curve], kind)

    loss = (
        f"Loss {went}: training from {first.loss:.3f} to {last.loss:.3f}, "
        f"validation from {first.validation_loss:.3f} to {last.validation_loss:.3f}."
    )
    top1 = f"Validation top-1 {went}: from {percent(first.validation_top1)} to {percent(last.validation_top1)}."
    rate = f"Learning rate {went}: from {first.lr:.3g} to {last.lr:.3g}."
    return "".join(
        (
            figure(
                line_chart([line("loss", "second"), line("validation_loss")], "loss, nats", loss),
                legend([("line second", "training"), ("line first", "validation")]),
            ),
            figure(
                line_chart([line("validation_top1", factor=100)], "validation top-1, %", top1),
                f"At the end {fact('last-top1', percent(last.validation_top1))}.",
            ),
            figure(line_chart([line("lr")], "learning rate", rate, True), "At the end of each epoch."),
        )
    )


def cost(facts: Facts) -> str:
    """What each layer costs, and how many of its filters are dead."""
    rows = [
        (
            text(layer.name),
            text(layer.kind),
            text(layer.output),
            f"{layer.params:,}",
            f"{layer.macs:,}",
            percent(layer.macs / max(1, facts.macs), 1),
            "" if layer.dead is None else f"{layer.dead:,} of {layer.filters:,}",
        )
        for layer in facts.layers
    ]
    total = ("total", "", "", f"{facts.params:,}", f"{facts.macs:,}", "100.0 %", _dead_sum(facts)[0])
    header = ("layer", "kind", "output", "parameters", "multiply-adds", "share", "dead filters")
    return f"<p>{_dead_words(facts)}</p>" + table("cost by layer", header, [*rows, total], left=3, foot=1)


def _dead_sum(facts: Facts) -> tuple[str, int, int]:
    dead = sum(layer.dead or 0 for layer in facts.layers)
    filters = sum(layer.filters or 0 for layer in facts.layers)
    return (f"{dead:,} of {filters:,}" if filters else ""), dead, filters


def _dead_words(facts: Facts) -> str:
    words, dead, filters = _dead_sum(facts)
    if not filters:
        return "The network has no depthwise filters, so none is dead."
    verdict = (
        "every one matters"
        if not dead
        else "a narrower network might do as well"
        if dead > 0.1 * filters
        else "a known weakness of depthwise layers; so few matter little"
    )
    return (
        f"{fact('dead', words)} depthwise filters are dead, that is, so small that the image makes no difference to their "
        f"output: {verdict}."
    )


def use(facts: Facts) -> str:
    """How to run the file."""
    shell = "pocketvision predict model.onnx photo.jpg"
    words = (
        f"<p>With only ONNX Runtime, numpy and Pillow; answers below a probability of "
        f"{facts.calibration.unknown_threshold:.3f} are best treated as <i>unknown</i>:</p>"
    )
    if not facts.is_squashed:
        words = "<p>Images need more preprocessing than resizing (see the record in the file); this does all of it:</p>"
    python = _code("Python", "\n".join(example(facts))) if facts.is_squashed else ""
    return f"{words}{python}<p>Or from the shell:</p>{_code('shell', shell)}"


def _code(language: str, lines: str) -> str:
    return box(f"{language} code", f'<pre data-code="{language}"><code>{text(lines)}</code></pre>')


def example(facts: Facts) -> Iterator[str]:
    """Yield five lines of Python that answer one image."""
    side, mode = facts.resolution, "RGB" if facts.channels == 3 else "L"
    batch = "[None]" if facts.channels == 3 else "[None, :, :, None]"
    answer = "probabilities.argmax()"
    if len(facts.labels) <= SHOWN_LABELS:
        answer = f"{list(facts.labels)!r}[{answer}]"
    yield "import numpy, onnxruntime"
    yield "from PIL import Image, ImageOps"
    yield (
        f'image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("{mode}")'
        f".resize(({side}, {side}), Image.Resampling.BILINEAR)"
    )
    yield (
        'probabilities = onnxruntime.InferenceSession("model.onnx").run(["probabilities"], '
        f'{{"image": numpy.asarray(image){batch}}})[0][0]'
    )
    yield f"print({answer}, probabilities.max())"


def precision(facts: Facts) -> str:
    """What was tried to make the file smaller and faster, and the verdicts; empty if nothing was tried."""
    how = facts.precision
    if how is None:
        return ""
    verdict = how.verdict
    if how.problem:
        words = f"The file is fp32: {text(how.problem)}"
    else:
        words = (
            f"The file is {fact('precision', text(how.precision))}: "
            f"{fact('drop', f'{verdict.drop:+.2f}')} ± {100 * verdict.standard_error:.2f} points of top-1 lost against fp32 on "
            f"the same {plural(verdict.images, 'validation image')}, {percent(verdict.agreement)} agreement "
            f"(McNemar's p {verdict.p:.2g})"
        )
    if how.floats and not how.problem:
        words += f". Layers that stay fp32: {fact('floats', ', '.join(map(name, how.floats)))}"
    header = ("rung", "what was tried", "points lost", "±", "agreement", "verdict")
    rows = [
        (
            str(one.rung),
            text(one.what),
            f"{one.drop:+.2f}",
            f"{100 * one.standard_error:.2f}",
            percent(one.agreement),
            text("; ".join(one.problems) or "passes"),
        )
        for one in how.tried
    ]
    return f"<p>{words}.</p>{table('what was tried', header, rows, left=2)}"


def provenance(facts: Facts) -> str:
    """Where the file comes from."""
    data = facts.data
    images = ", ".join(f"{number:,} {text(part)}" for part, number in data.images.items())
    rows = [
        ("data", f"{name(data.name)}: {images}"),
        ("fingerprint", f"<code>{fact('fingerprint', text(data.fingerprint))}</code>"),
        ("split", text(data.split)),
        *((text(key.replace("_", " ")), text(_joined(value))) for key, value in facts.provenance.items()),
        ("measured", f"{text(facts.measured.date)}, {name(facts.measured.device)}, {text(facts.measured.system)}"),
    ]
    return table("provenance", ("what", "value"), rows, left=2, kind="words")


def _joined(value: Any) -> str:
    """Return a JSON value as words, unset entries left out.

    >>> _joined({"seed": 0, "lr": None, "budget": {"size_mb": 0.4}})
    'seed 0, budget (size mb 0.4)'
    """
    if not isinstance(value, Mapping):
        return str(value)
    entries = [(key.replace("_", " "), entry) for key, entry in value.items() if entry is not None and entry != {}]
    return ", ".join(
        f"{key} ({_joined(entry)})" if isinstance(entry, Mapping) else f"{key} {entry}" for key, entry in entries
    )
