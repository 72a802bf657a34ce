"""Callers, roles, and the closed list of reasons of refusals."""

from dataclasses import dataclass
from enum import StrEnum

SYSTEM_ACTOR = "system"


class Role(StrEnum):
    """Permissions of a caller. Every role may read."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    FINANCE = "finance"


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller.

    Attributes:
        actor: recorded in every history as who did it.
        roles: our roles that the token names.
    """

    actor: str
    roles: frozenset[Role]


SYSTEM = Identity(SYSTEM_ACTOR, frozenset(Role))  # every caller while AUTH_MODE=off


class RefusalReason(StrEnum):
    """Reason of a refusal: `reason` in the answer, the log line and the metric."""

    TOKEN_MISSING = "token_missing"  # noqa: S105 - a reason, as are the next ones
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - a reason
    TOKEN_TOO_LARGE = "token_too_large"  # noqa: S105 - a reason
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a reason
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105 - a reason
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    EXTENSION_NOT_SUPPORTED = "extension_not_supported"
    KEY_UNKNOWN = "key_unknown"
    SIGNATURE_INVALID = "signature_invalid"
    ISSUER_WRONG = "issuer_wrong"
    AUDIENCE_WRONG = "audience_wrong"
    CLAIM_MISSING = "claim_missing"
    CLAIM_INVALID = "claim_invalid"
    NOT_AN_ACCESS_TOKEN = "not_an_access_token"  # noqa: S105 - a reason
    LIFETIME_TOO_LONG = "lifetime_too_long"
    SUBJECT_NOT_ALLOWED = "subject_not_allowed"
    ROLE_MISSING = "role_missing"
    ROUTE_WITHOUT_ROLE = "route_without_role"
    KEYS_UNAVAILABLE = "keys_unavailable"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request. `detail` says in one line what is wrong and contains nothing of the token."""

    reason: RefusalReason
    detail: str
