"""Keys of Stripe's API: which mode they are of (docs.stripe.com/keys)."""

import re

_API_KEY = re.compile("(sk|rk)_[A-Za-z0-9_]+")


def check_key(key: str, *, is_live: bool) -> None:
    """Check that a key of Stripe's API belongs to the mode that counts.

    Raises:
        ValueError: it is of the other mode, or no key that can read objects.
    """
    mode, other = ("live", "test") if is_live else ("test", "live")
    if key.startswith((f"sk_{other}_", f"rk_{other}_")):
        raise ValueError(
            f"STRIPE_API_KEY is a key of {other} mode, and STRIPE_MODE is {mode}; set a key of {mode} mode"
            f" (sk_{mode}_…, rk_{mode}_…), or STRIPE_MODE={other}"
        )
    if _API_KEY.fullmatch(key) is None:
        raise ValueError(f"STRIPE_API_KEY is no secret key; set one such as sk_{mode}_… or rk_{mode}_…")
