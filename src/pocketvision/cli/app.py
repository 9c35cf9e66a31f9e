"""The pocketvision command: its verbs, its errors, its exit codes.

Heavy imports happen inside the verbs, so that --help answers at once.
"""

import io
import os
import signal
import sys
import traceback
from typing import Any

import typer

from pocketvision import __version__
from pocketvision.cli import (
    bench,
    compress,
    cut,
    data,
    evaluate,
    explain,
    export,
    fit,
    front,
    info,
    models,
    predict,
    probe,
    report,
    show,
    verify,
    weights,
)
from pocketvision.errors import DiskFailed, MissingExtra, PocketvisionError, missing_extra, nearest

UsageProblem: Any = typer.BadParameter.__base__  # the parser's own error; its module differs between typer's releases

EXIT_CODES = """Exit codes: 0 done; 1 a check failed; 2 the request is wrong; 3 images, labels or weights are wrong; 4 the
file is not a pocketvision model; 5 training failed; 6 the disk is full or refuses; 7 nothing fits the budget; 70 a bug; 130
stopped by Ctrl-C or SIGTERM; 141 the reader of the output has gone."""

SPINS = "1000"  # of a waiting thread of libgomp before it sleeps
CLOSED_PIPE = 141  # 128 + SIGPIPE, as of any other program in a pipe

app = typer.Typer(
    help="Fit a vision network to your images and your device: one verified ONNX file that runs without PyTorch.",
    epilog=EXIT_CODES,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
SINGLE = (fit, cut, compress, front, predict, evaluate, verify, report, export, probe, bench, info, show, explain,
          models)  # fmt: skip
for verb in SINGLE:
    name = verb.__name__.rsplit(".", 1)[1]
    app.command(name)(getattr(verb, name))
app.add_typer(data.data, name="data")
app.add_typer(weights.weights, name="weights")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"pocketvision {__version__}\n")
        raise typer.Exit


@app.callback()
def common(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", help="Show the version.", callback=_print_version, is_eager=True),
) -> None:
    """Options of all verbs. `run` reads --debug itself, at any position."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    _let_threads_sleep()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's request is treated as Ctrl-C
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    code = run(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the exit code is fixed while Python shuts down
    sys.exit(code)


def _let_threads_sleep() -> None:
    """Let torch's waiting threads spin for microseconds, then sleep: see decisions/0005-waiting-threads-sleep.md."""
    if os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE").upper() == "PASSIVE":
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. Errors go to stderr, in one block."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        command = typer.main.get_command(app)  # not app(): that would swallow Ctrl-C and a closed pipe
        with command.make_context("pocketvision", arguments or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as stop:
        return stop.exit_code
    except PocketvisionError as error:
        return _fail(type(error).__name__, str(error), error.exit_code, debug)
    except UsageProblem as error:
        return _fail("UsageError", _usage_message(error, arguments), 2, debug)
    except KeyboardInterrupt:
        return _fail("Interrupted", "stopped by Ctrl-C.", 130, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the rest of the output goes nowhere
        return CLOSED_PIPE
    except ModuleNotFoundError as error:
        return _fail("MissingExtra", str(missing_extra(error)), MissingExtra.exit_code, debug)
    except OSError as error:
        return _fail("DiskFailed", str(_disk_failed(error)), DiskFailed.exit_code, debug)
    except Exception as error:
        return _fail(
            "Bug", f"{type(error).__name__}: {error} Try: the same command with --debug, and report it", 70, debug
        )


def _disk_failed(error: OSError) -> DiskFailed:
    where = f" at {error.filename!r}" if error.filename else ""
    return DiskFailed(
        f"the system says {error.strerror or error}{where}; no unfinished file has a final name.",
        "free space or permission there, then the same command, or another folder",
    )


def _fail(kind: str, message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"{kind}: {message}\n")
    return code


def _usage_message(error: Any, arguments: list[str]) -> str:
    """Return the parser's message with the nearest name that exists."""
    option = getattr(error, "option_name", None)
    context = getattr(error, "ctx", None)
    if option and context is not None and "No such" in error.message:
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        return f"{error.message}. Try: {nearest(option, known)}, or {context.command_path} --help"
    verb = next((argument for argument in arguments if not argument.startswith("-")), "")
    names = [str(command.name) for command in app.registered_commands] + [str(g.name) for g in app.registered_groups]
    if verb and verb not in names:
        return f"no verb {verb!r}. Known: {', '.join(names)}. Try: pocketvision {nearest(verb, names)}"
    path = context.command_path if context is not None else "pocketvision"
    message = error.format_message().rstrip(".")
    return f"{message}{'' if message.endswith('?') else '.'} Try: {path} --help"


if __name__ == "__main__":
    main()
