"""No float is near money: not in a literal, not by a name, not by a division.

Decimal stands where percents do, and nowhere else.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pricing

WITH_DECIMALS = {"adjustments.py", "engine_v2.py"}
MODULES = sorted(Path(pricing.__file__).parent.rglob("*.py"))


def float_places(tree: ast.AST, *, decimals: bool = False) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()) | ast.Name(id="float" | "round"):
                yield node.lineno
            case ast.Name(id="Decimal") if not decimals:
                yield node.lineno
            case (ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div())) as division:
                yield division.lineno
            case ast.Import() | ast.ImportFrom():
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                if names & ({"math", "fractions", "statistics"} | (set() if decimals else {"decimal"})):
                    yield node.lineno


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_module_has_no_float(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    places = list(float_places(tree, decimals=module.name in WITH_DECIMALS))
    assert not places, f"{module.name}: float at lines {places}"


@pytest.mark.parametrize(
    "source", ["a = 1.5", "float(1)", "a / 2", "a /= 2", "import math", "round(a)", "Decimal(a)"]
)
def test_planted_float_is_found(source: str) -> None:
    assert list(float_places(ast.parse(source)))
