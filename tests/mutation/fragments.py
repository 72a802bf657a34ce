"""Fragments of Python: found in a function by their syntax tree, and replaced.

White space, line breaks, comments and quotes do not count. A local variable or parameter that was renamed
since the fragment was written is recognised, and renamed in the replacement too.

* A body of `...` in a fragment stands for any body, and in the replacement for that same body.
* `...(name=value)` stands for a call with this keyword argument among others. The replacement `...()` drops
  the argument.
"""

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, TypeGuard

_NO_SYNTAX = {"ctx", "type_comment", "type_ignores", "kind"}
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# Fields that hold the name of a local variable or parameter.
_NAME_FIELDS = {(ast.Name, "id"), (ast.arg, "arg"), (ast.ExceptHandler, "name"), (ast.MatchAs, "name")}


@dataclass(slots=True)
class Match:
    """A place in the tree that a fragment fits: `owner.field[start:stop]`, or the whole `owner.field`."""

    owner: ast.AST
    field: str
    start: int | None
    stop: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    body: list[ast.stmt] = field(default_factory=list)


def replaced(text: str, function: str, old: str, new: str) -> tuple[str, int]:
    """Return a module's text with `new` in place of `old` in a function, and how often `old` was found there.

    The text is changed only if `old` was found exactly once.

    Args:
        text: of the module.
        function: qualified name of a function or class; empty for the module.
        old, new: an expression, or statements.
    """
    tree = ast.parse(text)
    fragment, replacement = _parse(old), _parse(new)
    if not (isinstance(fragment, ast.expr) and isinstance(replacement, ast.expr)):
        fragment, replacement = _statements(old), _statements(new)
    scopes = list(_definitions(tree, function))
    for may_rename in (False, True):
        matches = [
            match
            for scope in scopes
            for match in _matches(scope, fragment, _locals(scope) if may_rename else None)
        ]
        if matches:
            break
    if len(matches) != 1:
        return text, len(matches)
    _put(matches[0], fragment, copy.deepcopy(replacement))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n", 1


def replaced_text(text: str, old: str, new: str) -> tuple[str, int]:
    """Return a text with `new` in place of `old`, and how often `old` was found. White space may differ."""
    pattern = re.compile(r"\s+".join(map(re.escape, old.split())))
    found = len(pattern.findall(text))
    return (pattern.sub(lambda _: new, text) if found == 1 else text), found


def replaced_in_strings(text: str, function: str, old: str, new: str) -> tuple[str, int]:
    """Return a module's text with `new` in place of `old` in a string, and how often `old` was found."""
    tree, total = ast.parse(text), 0
    for scope in _definitions(tree, function):
        for node in ast.walk(scope):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value, found = replaced_text(node.value, old, new)
                total += found
    return (ast.unparse(tree) + "\n" if total == 1 else text), total


def _parse(text: str) -> ast.expr | list[ast.stmt]:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return _statements(text)


def _statements(text: str) -> list[ast.stmt]:
    return ast.parse(dedent(text).strip("\n") or "pass").body


def _definitions(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    if not name:
        yield tree
        return
    first, _, rest = name.partition(".")
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, _DEFINITIONS):
            yield from _definitions(node, name)
        elif node.name == first:
            yield from _definitions(node, rest)


def _locals(scope: ast.AST) -> tuple[set[str], set[str]]:
    """Return the names that a function gives to variables and parameters, and all names in it."""
    own = {
        node.id
        for node in ast.walk(scope)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    own |= {node.arg for node in ast.walk(scope) if isinstance(node, ast.arg)}
    return own, own | {node.id for node in ast.walk(scope) if isinstance(node, ast.Name)}


def _matches(
    scope: ast.AST, fragment: ast.expr | list[ast.stmt], names: tuple[set[str], set[str]] | None
) -> Iterator[Match]:
    for owner in ast.walk(scope):
        if _is_any_call(fragment):
            if isinstance(owner, ast.Call) and _has_keywords(fragment, owner, names):
                yield Match(owner, "keywords", None)
            continue
        for name, value in ast.iter_fields(owner):
            for start, stop, candidate in _candidates(value, fragment):
                match = Match(owner, name, start, stop)
                if _fits(fragment, candidate, match, names):
                    yield match


def _candidates(value: Any, fragment: ast.expr | list[ast.stmt]) -> Iterator[tuple[int | None, int, Any]]:
    if isinstance(fragment, ast.expr):
        if isinstance(value, ast.expr):
            yield None, 0, value
        for index, each in enumerate(value if isinstance(value, list) else ()):
            if isinstance(each, ast.expr):
                yield index, index + 1, each
    elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
        for start in range(len(value) - len(fragment) + 1):
            yield start, start + len(fragment), value[start : start + len(fragment)]


def _fits(old: Any, code: Any, match: Match, names: tuple[set[str], set[str]] | None) -> bool:
    if type(old) is not type(code):
        return False
    if isinstance(old, list):
        if _is_any_body(old):
            match.body = code
            return True
        return len(old) == len(code) and all(
            _fits(*pair, match, names) for pair in zip(old, code, strict=True)
        )
    if not isinstance(old, ast.AST):
        return old == code
    return all(
        _is_same_name(value, getattr(code, name), match.renamed, names)
        if (type(old), name) in _NAME_FIELDS and isinstance(value, str)
        else _fits(value, getattr(code, name), match, names)
        for name, value in ast.iter_fields(old)
        if name not in _NO_SYNTAX
    )


def _is_same_name(
    old: str, code: str | None, renamed: dict[str, str], names: tuple[set[str], set[str]] | None
) -> bool:
    if old in renamed or code in renamed.values():
        return renamed.get(old) == code
    if code is None or (old != code and (names is None or old in names[1] or code not in names[0])):
        return False
    renamed[old] = code
    return True


def _is_any_body(statements: list[Any]) -> bool:
    return (
        len(statements) == 1
        and isinstance(statements[0], ast.Expr)
        and isinstance(statements[0].value, ast.Constant)
        and statements[0].value.value is ...
    )


def _is_any_call(fragment: Any) -> TypeGuard[ast.Call]:
    return (
        isinstance(fragment, ast.Call)
        and isinstance(fragment.func, ast.Constant)
        and fragment.func.value is ...
    )


def _has_keywords(fragment: ast.Call, call: ast.Call, names: tuple[set[str], set[str]] | None) -> bool:
    given = {keyword.arg: keyword for keyword in call.keywords}
    return all(
        _fits(keyword, given.get(keyword.arg), Match(call, "keywords", None), names)
        for keyword in fragment.keywords
    )


def _put(match: Match, fragment: Any, replacement: ast.expr | list[ast.stmt]) -> None:
    if _is_any_call(fragment) and _is_any_call(replacement) and isinstance(match.owner, ast.Call):
        names = {keyword.arg for keyword in fragment.keywords}
        others = [keyword for keyword in match.owner.keywords if keyword.arg not in names]
        match.owner.keywords = [*others, *replacement.keywords]
        return
    root = ast.Module(replacement, []) if isinstance(replacement, list) else ast.Expression(replacement)
    for node in ast.walk(root):
        for name, value in ast.iter_fields(node):
            if (type(node), name) in _NAME_FIELDS and value in match.renamed:
                setattr(node, name, match.renamed[value])
            elif isinstance(value, list) and _is_any_body(value) and match.body:
                setattr(node, name, match.body)
    made: Any = root.body
    if match.start is None:
        setattr(match.owner, match.field, made)
    else:
        getattr(match.owner, match.field)[match.start : match.stop] = (
            made if isinstance(made, list) else [made]
        )
