"""Protections are named with what they are, and slips that leave one off are recognised."""

import importlib
import inspect

import pytest
from pydantic_settings import BaseSettings

from plumbline.doctor.target import SERVICE_URLS
from plumbline.known_names import KNOWN
from plumbline.safety import protections, slips
from plumbline.services import SERVICES


@pytest.mark.parametrize("value", [None, "", "True", "1", "ture", "yes", "true "])
def test_only_true_checks_signatures_and_another_value_is_said(value: str | None) -> None:
    validation = protections({} if value is None else {"ENABLE_WEBHOOK_VALIDATION": value})[0]
    assert not validation.is_on
    assert "NOT CHECKED" in validation.line
    assert (repr(value) if value is not None else "is not set") in validation.line
    assert protections({"ENABLE_WEBHOOK_VALIDATION": "true"})[0].is_on


def test_tokens_are_said() -> None:
    assert [
        protections(environ)[1].is_on for environ in ({}, {"AUTH_MODE": "off"}, {"AUTH_MODE": "jwt"})
    ] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ENABLE_WEBHOOK_VALIDATON", "ENABLE_WEBHOOK_VALIDATION"),
        ("AUTH_MOD", "AUTH_MODE"),
        ("STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRET"),
        ("RECONCILER_CRONS", "RECONCILER_CRON"),
        ("STRIPE_API_KEYS_FILE", "STRIPE_API_KEY"),
    ],
)
def test_nearly_right_name_is_recognised(name: str, meant: str) -> None:
    assert list(slips({name: "x"})) == [f"{name.removesuffix('_FILE')} is read by nothing: is {meant} meant?"]


def test_names_of_others_are_no_slips() -> None:
    foreign = ("PATH", "HOME", "LANG", "PWD", "ACME_WEBHOOK_SECRET", "AUTH_TOKEN", "SSH_AUTH_SOCK", "LOGNAME")
    assert list(slips(dict.fromkeys((*foreign, *KNOWN, "AUTH_JWT_KEY_FILE"), "x"))) == []


def test_every_variable_of_the_services_is_known() -> None:
    read: set[str] = set()
    for service in SERVICES:
        module = importlib.import_module(f"{service.package}.settings")
        classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, BaseSettings)]
        read |= {field.upper() for settings in classes for field in settings.model_fields}
    assert read - KNOWN == set()


def test_addresses_that_env_exports_are_no_slips() -> None:
    assert list(slips(dict.fromkeys(SERVICE_URLS.values(), "http://127.0.0.1:8080"))) == []
