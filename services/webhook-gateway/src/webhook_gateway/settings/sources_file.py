"""Further sources by configuration alone (GW-1): the TOML file that WEBHOOK_SOURCES_FILE names.

docs/sources.md describes the format. A mistake is one line that names file and key, never a value.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, StrictBool, ValidationError, model_validator
from pydantic_core import ErrorDetails

from chassis.process.environment import SettingsError
from chassis.process.wording import explain
from webhook_gateway.domain.document import FormKind
from webhook_gateway.domain.identity import HeaderLocation, IdentityRule, ValueLocation
from webhook_gateway.domain.pointer import PointerError, parse_pointer
from webhook_gateway.domain.source import (
    CHALLENGE_SCHEMES,
    FORM_SCHEMES,
    IDENTITIES,
    NAMES_TAKEN,
    SOURCE_NAME,
    AnswerKind,
    Source,
)
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Scheme
from webhook_gateway.settings.hmac_scheme import HmacTable, Table
from webhook_gateway.settings.secrets import accept

_HEADER = "header:"
# A token (RFC 9110 §5.6.2), in lower case as ASGI hands it over.
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")


def _place(text: object) -> ValueLocation:
    if not isinstance(text, str):
        raise ValueError("is no text")  # noqa: TRY004 - pydantic explains ValueErrors
    if text.startswith(_HEADER):
        name = text.removeprefix(_HEADER).strip().lower()
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f'names no header: write "{_HEADER}x-name"')
        return HeaderLocation(name.encode())
    try:
        return parse_pointer(text)
    except PointerError as error:
        raise ValueError(f'{error}; of a header write "{_HEADER}x-name"') from None


def _called_url(url: str) -> str:
    try:
        split = urlsplit(url)
        is_whole = split.scheme in {"http", "https"} and bool(split.hostname) and split.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("is no URL like https://hooks.example.com/webhooks/acme")
    return url


_Places = tuple[Annotated[ValueLocation, PlainValidator(_place)], ...]


def _scheme_name(name: str) -> str:
    if name not in SCHEMES:
        raise ValueError(f"is not known: there are {', '.join(SCHEMES)}")
    return name


class _Accept(Table):
    """A scheme that a source accepts, and where its secrets stand."""

    scheme: Annotated[str, AfterValidator(_scheme_name)] | None = None
    hmac: HmacTable | None = None
    secret_variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,63}$")]
    public_url: Annotated[str, AfterValidator(_called_url)] = ""

    @model_validator(mode="after")
    def _is_sound(self) -> "_Accept":
        if (self.scheme is None) == (self.hmac is None):
            raise ValueError("either scheme, a known name, or a table hmac")
        described = self.described()
        if described.needs_url and not self.public_url:
            raise ValueError("public_url is missing: this scheme signs the URL that the sender calls")
        if "{request_url}" in described.signed and not {"?", "#"}.isdisjoint(self.public_url):
            raise ValueError("public_url: leave out query and fragment: each request's own query is signed")
        return self

    def described(self) -> Scheme:
        return self.hmac.scheme() if self.hmac else SCHEMES[str(self.scheme)]

    def read(self, *, is_production: bool) -> AcceptedScheme:
        return accept(self.described(), self.secret_variable, self.public_url, is_production=is_production)


class _Identity(Table):
    """Where deliveries say who they are: JSON Pointers, or `header:<name>`. What is left out is as usual."""

    event_id: _Places = ()
    event_id_required: StrictBool = False
    event_id_within: _Places = ()
    event_type: _Places = ()
    object_id: _Places = ()
    booking_id: _Places = ()
    occurred_at: _Places = ()

    def over(self, usual: IdentityRule) -> IdentityRule:
        return replace(usual, **{name: getattr(self, name) for name in self.model_fields_set})


class _Source(Table):
    """One further sender."""

    accept: list[_Accept] = Field(min_length=1, max_length=8)
    always_verified: StrictBool = False
    answer: AnswerKind = AnswerKind.JSON
    identity: _Identity = _Identity()

    def read(self, name: str, *, is_production: bool) -> Source:
        accepted = tuple(each.read(is_production=is_production) for each in self.accept)
        names = {each.scheme.name for each in accepted}
        usual = IDENTITIES.get(accepted[0].scheme.name, IdentityRule())
        return Source(
            name,
            accepted,
            self.identity.over(usual),
            always_verified=self.always_verified,
            forms=_forms([each.scheme for each in accepted]),
            answers_challenge=bool(names & CHALLENGE_SCHEMES),
            answer=self.answer,
        )


def _forms(schemes: Sequence[Scheme]) -> FormKind | None:
    """Return how forms of these schemes are read; as fields if the schemes differ."""
    kinds = {
        FormKind.FIELDS if "{form}" in scheme.signed else FORM_SCHEMES.get(scheme.name) for scheme in schemes
    }
    return next((kind for kind in FormKind if kind in kinds), None)


def _source_name(name: str) -> str:
    if not SOURCE_NAME.fullmatch(name) or name in NAMES_TAKEN:
        raise ValueError(
            "names are lower-case letters, digits and hyphens, 39 at most and a letter first,"
            " and not stripe, sms, rejected, unknown"
        )
    return name


class _File(Table):
    """The sources file."""

    sources: dict[Annotated[str, AfterValidator(_source_name)], _Source]


def read_sources_file(path: str, *, is_production: bool = False) -> list[Source]:
    """Return the sources of a file, in its order; in production their secrets may not be published ones.

    Raises:
        SettingsError: it cannot be read, is no TOML, or says something that cannot be meant.
    """
    try:
        file = _File.model_validate(_parsed(Path(path).read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise _refusal(f"cannot read {path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise _refusal(f"{path} is not UTF-8") from None
    except _NoTomlError as error:
        raise _refusal(f"{path} is no TOML: {error}") from None
    except ValidationError as error:
        raise _refusal(f"{path}: {_explain(error)}") from None
    return [source.read(name, is_production=is_production) for name, source in file.sources.items()]


class _NoTomlError(Exception):
    """The file is no TOML; the message says why."""


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _NoTomlError(str(error)) from None
    except RecursionError:
        raise _NoTomlError("its arrays or tables are nested too deeply") from None
    except ValueError:  # of int(), which converts no more than 4,300 digits
        raise _NoTomlError("it holds a number of too many digits") from None


def _refusal(what: str) -> SettingsError:
    """Return an error in one line, with unprintable characters of names and values escaped."""
    written = (each if each.isprintable() else ascii(each)[1:-1] for each in what)
    return SettingsError(f"WEBHOOK_SOURCES_FILE: {''.join(written)}")


def _explain(error: ValidationError) -> str:
    return "; ".join(map(_one_line, error.errors(include_input=False, include_url=False)))


def _one_line(detail: ErrorDetails) -> str:
    """Return which key is wrong and what to write instead, without pydantic's names of types."""
    place = [str(step) for step in detail["loc"]]
    match detail["type"]:
        case "extra_forbidden":
            problem = f"is no key of this table; there are {', '.join(_table_of(place).model_fields)}"
        case "missing":
            problem = "is missing"
        case "list_type" if place[-1] == "accept":
            problem = f"is an array of tables: write [[{'.'.join(place)}]] above it"
        case "list_type" | "tuple_type":
            problem = 'is an array: write ["…"]'
        case _:
            problem = explain(detail, shows_value=False)
    return f"{'.'.join(place)}: {problem}"


def _table_of(place: Sequence[str]) -> type[Table]:
    """Return the table of the last key of a path such as `sources.<name>.accept.0.hmac.<key>`."""
    within = place[2:-1]
    tables: dict[str, type[Table]] = {"hmac": HmacTable, "identity": _Identity, "accept": _Accept}
    model = next((table for name, table in tables.items() if name in within), _Source)
    return model if len(place) > len(("sources", "name")) else _File
