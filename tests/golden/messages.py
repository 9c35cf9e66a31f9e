"""Every message of every error, read from the source: `python tests/golden/messages.py` rewrites messages.txt for review.

A message is what the source builds: what stands in braces is filled in when the error is raised. A name that is bound
once, to text, is replaced by that text.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pocketvision
from pocketvision import errors

SOURCE = Path(pocketvision.__file__).parent
FILE = Path(__file__).with_name("messages.txt")
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PocketvisionError)
}
HEAD = "What errors say, by module; {...} is filled in. `python tests/golden/messages.py` rewrites this file: review its diff.\n"


class Message(NamedTuple):
    """One place that makes an error; `attempt` is empty where nothing is tried."""

    module: str
    kind: str
    problem: str
    attempt: str


class _Texts:
    """The names that are bound to text, and to nothing else, in one function or module."""

    def __init__(self, scope: ast.AST) -> None:
        stored = [node.id for node in ast.walk(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        self.values: dict[str, ast.expr] = {}
        for node in ast.walk(scope):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.JoinedStr() | ast.Constant(value=str()) as text):
                    if stored.count(name) == 1:
                        self.values[name] = text


def template(value: ast.expr | None, scopes: list[_Texts]) -> str:
    """What an expression says, with {expressions} for what is only known when it runs."""
    match value:
        case None:
            return ""
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template(part, scopes) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left, scopes) + template(right, scopes)
        case ast.IfExp(body=body, orelse=other):
            return f"{{{template(body, scopes)} | {template(other, scopes)}}}"
        case ast.FormattedValue(value=ast.Name(id=name), conversion=-1, format_spec=None) | ast.Name(id=name):
            found = next((scope.values[name] for scope in scopes if name in scope.values), None)
            return f"{{{name}}}" if found is None else template(found, scopes)
        case ast.FormattedValue():
            return ast.unparse(ast.JoinedStr([value]))[2:-1]
    return f"{{{ast.unparse(value)}}}"


def _calls(node: ast.AST, scopes: list[_Texts]) -> Iterator[tuple[ast.Call, list[_Texts]]]:
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef)
        inner = [_Texts(child), *scopes] if is_function else scopes
        if isinstance(child, ast.Call) and ast.unparse(child.func).removeprefix("errors.") in KINDS:
            yield child, inner
        yield from _calls(child, inner)


@cache
def messages() -> list[Message]:
    """Return all of them, sorted."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = _Texts(ast.Module([node for node in tree.body if isinstance(node, ast.Assign)], []))
        for call, scopes in _calls(tree, [top]):
            given = dict(zip(("problem", "attempt"), call.args, strict=False))
            given |= {keyword.arg: keyword.value for keyword in call.keywords}
            said = (template(given.get(part), scopes) for part in ("problem", "attempt"))
            module = path.relative_to(SOURCE).as_posix()
            found.add(Message(module, ast.unparse(call.func).removeprefix("errors."), *said))
    return sorted(found)


def page() -> str:
    """Return the text of messages.txt."""
    lines, module = [HEAD], ""
    for message in messages():
        if message.module != module:
            module = message.module
            lines.append(f"\n{module}\n")
        lines.append(f"  {message.kind}: {message.problem}\n")
        if message.attempt:
            lines.append(f"    Try: {message.attempt}\n")
    return "".join(lines)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
