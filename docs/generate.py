"""Write the pages that show numbers or help texts, and the generated blocks of the README.

    python docs/generate.py            # or: make docs

tests/golden/test_docs_are_fresh.py fails while a page differs from what this writes.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from claims_page import paper_claims_pages
from family_pages import family_pages
from speed import speed_page

from pocketvision.cli.app import EXIT_CODES, app
from pocketvision.data.findings import KINDS
from pocketvision.train.recipe import RECIPES

ROOT = Path(__file__).parent.parent
NOTE = "<!-- Written by docs/generate.py; do not edit. -->"


def pages() -> dict[Path, str]:
    """Return every generated page and picture by its path."""
    return {
        ROOT / "docs" / "cli.md": cli_page(),
        **family_pages(ROOT / "docs" / "models", NOTE),
        **paper_claims_pages(ROOT / "docs", NOTE),
        ROOT / "docs" / "recipes.md": recipes_page(),
        ROOT / "docs" / "findings.md": findings_page(),
        ROOT / "docs" / "speed.md": speed_page(NOTE),
        ROOT / "README.md": readme(),
    }


def cli_page() -> str:
    """All verbs with their arguments and options, read from the commands themselves."""
    group: Any = typer.main.get_command(app)
    parts = [NOTE, "# The command line", "", " ".join(EXIT_CODES.split()), ""]
    parts += ["`--debug`, anywhere, shows the traceback of an error. `--help` lists what stands here.", ""]
    for name, command in _verbs(group):
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        usage = " ".join(f"{argument.name.upper()}{'...' if argument.nargs < 0 else ''}" for argument in arguments)
        parts += [f"## pocketvision {name} {usage}".rstrip(), "", " ".join(command.help.split()), ""]
        parts += ["| | meaning | default |", "| --- | --- | --- |"]
        parts += [_parameter_row(parameter) for parameter in command.params if parameter.name != "help"]
        parts.append("")
    return "\n".join(parts)


def _verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all commands with their names; those of a group follow each other: data check."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _parameter_row(parameter: Any) -> str:
    """One argument or option as a row: its names, its help text, its default."""
    is_argument = parameter.param_type_name == "argument"
    names = [parameter.name.upper()] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    help_text, _, stated = (parameter.help or "").partition(" [default: ")
    default = stated.rstrip("]") or (
        "" if any(parameter.default is nothing for nothing in (None, False, ...)) else str(parameter.default)
    )
    return f"| {', '.join(f'`{name}`' for name in names)} | {help_text} | {'required' if parameter.required else default} |"


def recipes_page() -> str:
    """Every value of every recipe."""
    names = list(RECIPES)
    fields = [name for name in vars(RECIPES[names[0]]) if name not in ("name", "source")]
    rows = [
        f"| {field} | " + " | ".join(str(getattr(RECIPES[name], field)) for name in names) + " |" for field in fields
    ]
    return "\n".join(
        [
            NOTE,
            "# Recipes",
            "",
            "`pocketvision fit --recipe NAME`",
            "",
            f"| value | {' | '.join(names)} |",
            f"| --- |{' --- |' * len(names)}",
            *rows,
            "",
            *(f"- **{name}**: {RECIPES[name].source}." for name in names),
            "",
        ]
    )


def findings_page() -> str:
    """Every kind of finding of the data check."""
    rows = [f"| {severity} | {kind} | {meaning} |" for kind, (severity, meaning) in KINDS.items()]
    head = [
        "# Findings",
        "",
        "What `pocketvision data check` can find.",
        "",
        "| | finding | meaning |",
        "| --- | --- | --- |",
    ]
    return "\n".join([NOTE, *head, *rows, ""])


def readme() -> str:
    """The README with its generated block: measured results."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    block = "\n".join(result_lines())
    pattern = r"(<!-- results: written by docs/generate.py -->\n).*?(<!-- end of results -->)"
    return re.sub(pattern, lambda match: f"{match[1]}{block}\n{match[2]}", text, flags=re.DOTALL)


def result_lines() -> list[str]:
    """One row for each measured job, from benchmarks/results/."""
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "benchmarks" / "results").glob("fit_fashion_mnist_*.json"))
    ]
    rows = [
        f"| {run['minutes_asked']} | {run['minutes']:.1f} | `{run['network']}` | {run['top1']:.4f} ± "
        f"{run['standard_error']:.4f} | {run['ece_uncalibrated']:.3f} → {run['ece']:.3f} | {run['size_mb']:.2f} | "
        f"{run['device']} | {run['date']} |"
        for run in sorted(found, key=lambda run: (run["minutes_asked"], run["date"]))
    ]
    return [
        "| minutes asked | used | network | test top-1 | calibration error | MB | device | date |",
        "| ---: | ---: | --- | ---: | ---: | ---: | --- | --- |",
        *rows,
    ]


def main() -> None:
    """Write all pages."""
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
