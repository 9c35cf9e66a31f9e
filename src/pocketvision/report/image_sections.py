"""The sections about the images: classes, confusion, calibration, pictures, and findings of the data check."""

from collections.abc import Sequence

from pocketvision.report.charts import calibration_chart, confusion_chart, level
from pocketvision.report.facts import ClassScore, Facts, Finding, Picture
from pocketvision.report.html import details, fact, figure, legend, name, percent, table, text
from pocketvision.text import plural

TABLE_UP_TO = 25  # classes; more are drawn as a map
MAP_UP_TO = 250  # classes; with more, only the pairs are shown
PAIRS = 15  # the most confused ones
CLASSES = 30  # rows that are not folded away
FINDINGS = 30
OTHERS = 5  # further names in a finding


def confusion(facts: Facts) -> str:
    """What is taken for what."""
    classes, score = len(facts.labels), facts.score
    words = f"<p>{plural(score.images, 'image')} of the {text(score.part)} part; rows are the truth, columns the answer.</p>"
    shades = legend(
        [("shade right", "right"), ("shade wrong", "mistaken"), ("", "the darker, the larger the share of its row")]
    )
    if classes <= TABLE_UP_TO:
        drawn = _matrix(facts) + shades
    elif classes <= MAP_UP_TO:
        rows = [found.images for found in facts.classes]
        alternative = f"Map of {classes} by {classes} classes; the most confused pairs stand in the table below."
        drawn = figure(confusion_chart(facts.confusion, rows, alternative), shades, "map")
    else:
        return f"{words}<p>{classes:,} classes are too many for a picture.</p>{_pairs(facts)}"
    return f'{words}<div class="together"><div>{drawn}</div><div>{_pairs(facts)}</div></div>'


def _matrix(facts: Facts) -> str:
    counts = {(truth, answer): images for truth, answer, images in facts.confusion}
    header = ["", *(f'<span class="upright">{name(label)}</span>' for label in facts.labels)]

    def cell(truth: int, answer: int) -> str:
        images = counts.get((truth, answer), 0)
        if not images:
            return '<span class="none">0</span>'
        kind = "right" if truth == answer else "wrong"
        return f'<span class="cell {kind} h{level(images / facts.classes[truth].images)}">{images:,}</span>'

    rows = [
        [name(label), *(cell(truth, answer) for answer in range(len(facts.labels)))]
        for truth, label in enumerate(facts.labels)
    ]
    return table("confusion matrix: rows are the truth, columns the answer", header, rows, kind="matrix")


def _pairs(facts: Facts) -> str:
    wrong = sorted((entry for entry in facts.confusion if entry[0] != entry[1]), key=lambda entry: -entry[2])
    if not wrong:
        return "<p>No image was mistaken.</p>"
    rows = [
        (
            name(facts.labels[truth]),
            name(facts.labels[answer]),
            f"{images:,} of {facts.classes[truth].images:,}",
            percent(images / facts.classes[truth].images, 1),
        )
        for truth, answer, images in wrong[:PAIRS]
    ]
    more = f", the first {PAIRS} of {len(wrong):,}" if len(wrong) > PAIRS else ""
    header = ("is", "taken for", "images", "share")
    return f"<h3>Most confused{more}</h3>" + table("most confused pairs", header, rows, left=2, kind="slim")


def classes(facts: Facts) -> str:
    """Precision and recall of each class."""
    order = sorted(facts.classes, key=lambda found: 2.0 if found.recall is None else found.recall)
    first, rest = order[:CLASSES], order[CLASSES:]
    words = (
        "<p>Precision: of the answers with that name, the share that is right. Recall: of the images of that class, the share "
        "that is found. Lowest recall first.</p>"
    )
    folded = details(f"{len(rest):,} more", _class_table(rest)) if rest else ""
    return words + _class_table(first) + folded


def _class_table(found: Sequence[ClassScore]) -> str:
    rows = [
        (
            name(entry.name),
            f"{entry.images:,}",
            f"{entry.answered:,}",
            f"{entry.right:,}",
            percent(entry.precision, 1),
            percent(entry.recall, 1),
            _meter(entry.recall),
        )
        for entry in found
    ]
    header = ("class", "images", "answers", "right", "precision", "recall", "")
    return table("precision and recall by class", header, rows)


def _meter(share: float | None) -> str:
    """Return a bar beside the figure that says the same."""
    return (
        ""
        if share is None
        else f'<span class="meter" aria-hidden="true"><i style="width:{100 * share:.1f}%"></i></span>'
    )


def _unknown(facts: Facts) -> str:
    """When the file answers "unknown"."""
    threshold = facts.calibration.unknown_threshold
    if threshold <= 1 / len(facts.classes):
        return "<p>The file hardly ever answers <i>unknown</i>: too few right answers show where the threshold is.</p>"
    return (
        f"<p>Below a probability of {threshold:.3f} the file answers <i>unknown</i>: {percent(facts.score.unknown)} of these "
        "images.</p>"
    )


def calibration(facts: Facts) -> str:
    """How often an answer with a given probability is right."""
    found, score = facts.calibration, facts.score
    alternative = (
        f"Calibration curve: the expected calibration error is {score.ece:.4f} after and {score.ece_uncalibrated:.4f} "
        "before calibration. The table below has the same figures."
    )
    words = (
        f"<p>Of the answers with a probability of 0.8, 80 % should be right: on the diagonal they are. The expected calibration "
        f"error is {fact('ece', f'{score.ece:.4f}')}, and was {fact('ece-before', f'{score.ece_uncalibrated:.4f}')} before the "
        f"temperature of {fact('temperature', f'{found.temperature:.3f}')}, fitted on validation images.</p>"
        + _unknown(facts)
    )
    marks = legend(
        [("line first", "after"), ("line second", "before"), ("line ideal", "ideal"), ("shade bar", "images, after")]
    )
    rows = [
        (when, f"{entry.confidence:.3f}", f"{entry.accuracy:.3f}", f"{entry.images:,}")
        for when, bins in (("after", found.after), ("before", found.before))
        for entry in bins
    ]
    header = ("temperature", "mean probability", "share right", "images")
    numbers = details("The same as numbers", table("calibration by probability", header, rows, kind="slim"))
    drawn = figure(calibration_chart(found.before, found.after, alternative), marks, "single")
    return f'<div class="beside"><div>{words}{numbers}</div>{drawn}</div>'


def pictures(facts: Facts) -> str:
    """Wrong answers, and answers of low probability."""
    wrong = sum(entry.images - entry.right for entry in facts.classes)
    mistakes = _gallery(facts.mistakes) if facts.mistakes else "<p>No image was mistaken.</p>"
    return (
        f"<h3>Worst mistakes</h3><p>{fact('mistakes', f'{wrong:,}')} of {facts.score.images:,} answers are wrong; "
        f"these were the most confident of them.</p>{mistakes}"
        f"<h3>Least confident</h3><p>Right or wrong, the lowest probability first.</p>{_gallery(facts.unsure)}"
    )


def _gallery(found: Sequence[Picture]) -> str:
    return f'<ul class="gallery">{"".join(map(_picture, found))}</ul>'


def _picture(found: Picture) -> str:
    is_right = found.truth == found.answer
    words = f"is {found.truth}, answered {found.answer} with probability {found.probability:.2f}"
    image = (
        f'<img src="data:image/{found.form};base64,{found.base64}" width="{found.width}" height="{found.height}" '
        f'alt="{text(found.key)}: {text(words)}" class="{"tiny" if max(found.width, found.height) <= 48 else ""}">'
        if found.base64
        else '<span class="gone">no longer readable</span>'
    )
    answer = f"<b>{name(found.answer)}</b> {found.probability:.2f}"
    truth = "right" if is_right else f"is <b>{name(found.truth)}</b>"
    return (
        f'<li><div class="thumb">{image}</div><p class="{"good" if is_right else "bad"}">{answer}<br>{truth}</p>'
        f'<p class="key">{name(found.key)}</p></li>'
    )


def findings(facts: Facts) -> str:
    """What the check of the data found."""
    data = facts.data
    images = ", ".join(f"{fact(f'images-{part}', f'{number:,}')} {text(part)}" for part, number in data.images.items())
    words = f"<p><b>{name(data.name)}</b>: {len(facts.labels):,} classes; images: {images}.</p>"
    if data.findings is None:
        return words + "<p>The data were not checked.</p>"
    if not data.findings:
        return words + f'<p class="kept">{fact("findings", "The data check found nothing.")}</p>'
    first, rest = data.findings[:FINDINGS], data.findings[FINDINGS:]
    folded = details(f"{len(rest):,} more", _findings(rest)) if rest else ""
    count = fact("findings", plural(len(data.findings), "finding"))
    return f"{words}<p>{count} of the data check:</p>{_findings(first)}{folded}"


def _findings(found: Sequence[Finding]) -> str:
    items = "".join(
        f"<li><p><b>{text(entry.kind.replace('_', ' '))}</b> <small>{text(entry.severity)}</small></p>"
        f'<p>{text(entry.sentence)}</p><p class="key">{_subjects(entry)}</p></li>'
        for entry in found
    )
    return f'<ul class="findings">{items}</ul>'


def _subjects(found: Finding) -> str:
    others = found.others[:OTHERS]
    more = f" and {len(found.others) - OTHERS:,} more" if len(found.others) > OTHERS else ""
    return ", ".join(map(name, (found.subject, *others))) + more
