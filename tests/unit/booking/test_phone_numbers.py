import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.adapters.phone_numbers import COUNTRIES, to_e164
from booking.settings import OfflineSettings


@pytest.mark.parametrize(
    "written",
    [
        "+1 312 555 0100",
        "(312) 555-0100",
        "312.555.0100",
        "3125550100",
        "1-312-555-0100",
        " 312 555 0100 ",
        "312\u2013555\u20130100",
        "312\u00a0555\u00a00100",
        "\uff0b\uff11\uff13\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff10\uff10",
    ],
)
def test_one_number_written_in_many_ways_is_one_number(written: str) -> None:
    assert to_e164(written, "US") == "+13125550100"


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("07400 123456", "GB", "+447400123456"),
        ("+44 (0)7400 123456", "US", "+447400123456"),
        ("011 44 7400 123456", "US", "+447400123456"),
        ("00 1 312 555 0100", "DE", "+13125550100"),
    ],
)
def test_a_country_reads_numbers_by_its_own_plan(written: str, country: str, number: str) -> None:
    assert to_e164(written, country) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "12345",
        "555-0100",
        "911",
        "+13125550100 ext 5",
        "1-800-FLOWERS",
        "call 312 555 0100",
        "+999123456789",
        "312 555 0100 312 555 0100",
        "+1312555010\u0000",
        "9" * 10_000,
    ],
)
def test_a_text_that_is_no_usable_number_gives_none(written: str) -> None:
    assert to_e164(written, "US") is None


@given(country=st.sampled_from(sorted(COUNTRIES)), other=st.sampled_from(sorted(COUNTRIES)))
def test_a_number_in_e164_stays_as_it_is_in_every_country(country: str, other: str) -> None:
    example = phonenumbers.example_number(country)
    assert example is not None
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert to_e164(number, other) == number


@given(st.text(max_size=60), st.sampled_from(sorted(COUNTRIES)))
def test_any_text_gives_none_or_a_number_that_reads_as_itself(text: str, country: str) -> None:
    number = to_e164(text, country)
    assert number is None or (number.startswith("+") and to_e164(number, country) == number)


def test_an_unknown_business_country_stops_the_start() -> None:
    with pytest.raises(ValueError, match="write one such as US"):
        OfflineSettings(booking_postgres_dsn="postgresql://x", business_country="us")
