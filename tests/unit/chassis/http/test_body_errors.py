"""Errors in a request's body name the field and say what is expected there."""

from typing import Annotated, Any

import pytest
from pydantic import Field, StrictInt, ValidationError

from chassis.http.body_errors import body_errors
from chassis.http.json_bodies import RequestBody

Cents = Annotated[StrictInt, Field(ge=0)]


class Price(RequestBody):
    amount: Cents
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Request(RequestBody):
    limit: Cents | Price | None = None


def told(limit: Any) -> dict[str, str]:
    """Return the errors of a body by field."""
    with pytest.raises(ValidationError) as raised:
        Request.model_validate({"limit": limit})
    errors = raised.value.errors(include_url=False)
    return {error["field"]: error["message"] for error in body_errors(Request, errors)}


@pytest.mark.parametrize(
    ("limit", "fields"),
    [
        (-3, ["limit"]),
        ("three", ["limit"]),
        ([3], ["limit"]),
        ({"amount": -5, "currency": "usd"}, ["limit.amount", "limit.currency"]),
        ({"amount": 5, "curency": "USD"}, ["limit.currency", "limit.curency"]),
    ],
)
def test_value_of_two_forms_is_judged_in_the_form_in_which_it_came(limit: Any, fields: list[str]) -> None:
    assert list(told(limit)) == fields


def test_error_in_a_form_says_what_is_expected_there() -> None:
    assert told({"amount": -5, "currency": "USD"}) == {"limit.amount": "expected 0 or more, got -5"}
    assert told({"amount": 5, "currency": "USD", "curency": 1})["limit.curency"].startswith("unknown member")
    assert told(-3) == {"limit": "expected 0 or more, got -3"}
    assert told("three") == {"limit": 'expected a whole number such as 100, got "three"'}
