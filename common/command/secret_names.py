"""Which names of settings stand for secrets, and which values under them are some."""

import re
from collections.abc import Mapping
from typing import Any

ALONE = frozenset(
    (
        *("password", "passwords", "passwd", "pwd", "pass", "passphrase", "passphrases", "secret", "secrets", "token"),
        *("credential", "credentials", "signature", "bearer", "jwt", "auth", "authorization"),
        *("apikey", "accesskey", "secretkey", "privatekey"),
    )
)
GLUED = ("password", "passwd", "passphrase", "secret", "apikey", "accesstoken", "authtoken")
"""Endings of words without a seam, such as PostgreSQL's `sslpassword`."""
PAIRS = frozenset(
    f"{first} {last}{plural}"
    for first, lasts in (
        ("api", ("key", "token")),
        ("access", ("key", "token")),
        ("auth", ("key", "token")),
        ("bearer", ("token",)),
        ("refresh", ("token",)),
        ("private", ("key",)),
        ("account", ("key",)),
        ("connection", ("string",)),
    )
    for last in lasts
    for plural in ("", "s")
)
OF_NETWORKS = frozenset(["class", "cls", "patch", "mask", "masked", "register", "pad", "image", "distillation"])
"""What a transformer's `token` may be one of."""
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
REFERENCE = re.compile(r"^(?:[@%][\w#:./]+|\$(?!\s*\w{0,2}['\"]).*[@(\[].*)$", re.DOTALL)
LONG_NUMBER = 10_000
"""From here on a number under `token` is no count."""


def is_secret_name(name: str) -> bool:
    """Whether a key, of any spelling such as `clientSecret` or `MLFLOW_TRACKING_TOKEN`, names a secret."""
    words = [word for word in re.split(r"[\W_]+", HUMP.sub("_", name).lower()) if word]
    if not words:
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "token" and before in OF_NETWORKS:
        return False
    return words[-1] in ALONE or words[-1].endswith(GLUED) or f"{before} {words[-1]}" in PAIRS


def holds_secret(name: str, value: Any) -> bool:
    """Whether a value under a secret's name is one: not a switch, a reference, or a section that says how it is built.

    Args:
        name: of the key.
        value: under it.
    """
    if not is_secret_name(name) or value is None or isinstance(value, bool):
        return False
    if isinstance(value, str):
        return bool(value) and not REFERENCE.match(value)
    if isinstance(value, int | float):
        return not name.lower().endswith("token") or value >= LONG_NUMBER
    return not isinstance(value, Mapping) and bool(value)
