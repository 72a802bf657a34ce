"""Query strings, header parameters and numbers in paths: checked before a route's handler runs (ALL-9).

A filter that is misspelt, empty or given twice would select more than the caller asked for, unnoticed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from chassis.auth.access import is_public
from chassis.http.arguments import arguments_of
from chassis.http.problems import InvalidRequestError
from chassis.process.wording import bounds, choices, one_of, shown, types_in
from contracts.text import sanitize_for_postgres
from contracts.times import TimeError, parse_time

AnyConnection = ASGIConnection[Any, Any, Any, Any]
RouteKey = tuple[str, str]
Range = tuple[int | None, int | None]

ERRORS_MAX = 20
"""Invalid parameters that one answer names."""

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The query parameters of one route.

    Attributes:
        names: all, as callers write them.
        lists: names that may be given several times.
        times: names whose values are RFC 3339 times.
        texts: names that take any text.
        headers: header parameters, which may be given once.
        choices: the allowed values of names that take one of a list.
        ranges: least and greatest value of names that take a whole number.
    """

    names: tuple[str, ...]
    lists: frozenset[str]
    times: frozenset[str]
    texts: frozenset[str] = frozenset()
    headers: tuple[str, ...] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])


class QueryCheck:
    """Litestar guard that checks the parameters of a request. `learn` must be called before the first one.

    Health, metrics and schema pages are not checked: probes and browsers add parameters of their own.
    """

    def __init__(self) -> None:
        self._routes: Mapping[RouteKey, Parameters] = {}

    def learn(self, app: Litestar) -> None:
        """Read the declared query parameters of every route of the application."""
        self._routes = dict(_declared(app))

    async def __call__(self, connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        """Raise `InvalidRequestError` (400) that names all invalid parameters."""
        method, path = str(Request[Any, Any, Any](connection.scope).method), connection.scope["path_template"]
        declared = self._routes.get((method, path))
        if declared is not None:
            _check_path(connection)
            check_query(connection.scope["query_string"], declared)
            _check_headers(connection, declared)


def _check_path(connection: AnyConnection) -> None:
    # 404 for a number in another spelling: Python's int also reads `1_0` and Arabic digits.
    segments = connection.scope["path"].split("/")
    numbers = (value for value in connection.path_params.values() if isinstance(value, int))
    if not all(str(number) in segments for number in numbers):
        raise NotFoundException


def _check_headers(connection: AnyConnection, declared: Parameters) -> None:
    sent = [name.decode("latin-1") for name, _ in connection.scope["headers"]]
    for name in declared.headers:
        if sent.count(name.lower()) > 1:
            raise InvalidRequestError(name, "given more than once; give it once")


def check_query(query: bytes, declared: Parameters) -> None:
    """Raise `InvalidRequestError` for a parameter that is unknown, repeated, empty or of a wrong form."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequestError("query", "not UTF-8, percent-encoded") from None
    seen: set[str] = set()
    wrong: list[tuple[str, str]] = []
    for name, value in pairs:
        problem = (
            "given more than once; give it once"
            if name in seen and name not in declared.lists
            else _problem_of(name, value, declared)
        )
        if problem is not None:
            wrong.append((name, problem))
        seen.add(name)
    if wrong:
        raise InvalidRequestError(*wrong[0], others=wrong[1:ERRORS_MAX])


def _problem_of(name: str, value: str, declared: Parameters) -> str | None:
    if name not in declared.names:
        return f"unknown parameter, {known_names(name, declared.names)}"
    if not value.strip():
        return "empty; omit it or give it a value"
    if sanitize_for_postgres(value) != value:
        return "has a character that no text can hold (U+0000)"
    if name not in declared.texts and value.strip().lower() == "null":
        # The framework would take it for None, and a filter that is None lets everything through.
        return "null is no value; omit the parameter or give it a value"
    return _problem_of_form(name, value, declared)


def _problem_of_form(name: str, value: str, declared: Parameters) -> str | None:
    if name in declared.times:
        return _problem_of_time(value)
    if name in declared.choices and value not in declared.choices[name]:
        return f"expected {one_of(declared.choices[name], value)}, got {shown(value)}"
    if name in declared.ranges and not _is_within(value, declared.ranges[name]):
        return f"expected {bounds(*declared.ranges[name])}, got {shown(value)}"
    return None


def _is_within(text: str, limits: Range) -> bool:
    minimum, maximum = limits
    if not _WHOLE_NUMBER.fullmatch(text):
        return False
    return (minimum is None or int(text) >= minimum) and (maximum is None or int(text) <= maximum)


def known_names(name: str, known: Sequence[str]) -> str:
    """Return a hint for an unknown name: the nearest known name and all of them."""
    plain = {_plain(each): each for each in known}
    if near := get_close_matches(_plain(name), plain, n=1):
        return f"did you mean {plain[near[0]]}? Known: {', '.join(known)}"
    return f"known: {', '.join(known)}" if known else "none is known here"


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _problem_of_time(text: str) -> str | None:
    try:
        parse_time(text)
    except TimeError as error:
        return f"{error}, got {shown(text)}"
    return None


def _declared(app: Litestar) -> Iterator[tuple[RouteKey, Parameters]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or is_public(route.path_format):
            continue
        for method, (handler, model) in route.route_handler_map.items():
            fields = arguments_of(handler)
            expected = sorted(model.expected_query_params, key=lambda each: each.field_alias)
            types = {each.field_alias: types_in(fields[each.field_name].annotation) for each in expected}
            yield (
                (method, route.path_format),
                Parameters(
                    names=tuple(types),
                    lists=frozenset(each.field_alias for each in expected if each.is_sequence),
                    times=frozenset(name for name, kinds in types.items() if datetime in kinds),
                    texts=frozenset(name for name, kinds in types.items() if str in kinds),
                    headers=tuple(each.field_alias for each in model.expected_header_params),
                    choices={
                        each.field_alias: allowed
                        for each in expected
                        if (allowed := choices(fields[each.field_name].annotation))
                    },
                    ranges={
                        each.field_alias: _range(fields[each.field_name])
                        for each in expected
                        if int in types[each.field_alias]
                    },
                ),
            )


def _range(parameter: FieldDefinition) -> Range:
    declared: Any = parameter.kwarg_definition
    return getattr(declared, "ge", None), getattr(declared, "le", None)
