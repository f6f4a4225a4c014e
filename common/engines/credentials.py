"""Secrets in addresses and settings, taken out of whatever a person or a file is shown."""

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

Shown = TypeVar("Shown")
HIDDEN = "***"
SECRET = r"(?:passwd|password|pwd|secret|token|api[-_]?key|access[-_]?key|signature|credential)s?"
USERINFO = re.compile(
    r"(?<=://)(?:"
    r"[^\s/'\"]*@"  # user, user:password or token, up to the last @ before the path
    r"|[^\s/:'\"@]+:(?!\d*(?:[/?#]|$))[^\s'\"]*@"  # a password with a slash; what follows the colon is no port
    r")"
)
IN_QUERY = re.compile(rf"([?&;][\w.-]*(?:{SECRET}|sig|auth)=)[^\s&;'\"#]+", re.IGNORECASE)
IN_SETTING = re.compile(r"(\b(?:passwd|password|pwd)=)[^\s&;,'\")]+", re.IGNORECASE)
IN_HEADER = re.compile(r"(authorization\W+(?:basic|bearer)\s+)[^\s'\"]+", re.IGNORECASE)
SECRET_KEY = re.compile(rf"(?:^|[\W_]){SECRET}$", re.IGNORECASE)
WORKING_DIRECTORY = "PWD"  # as every shell sets it; no password
SHORTEST = 6
"""Characters from which on a secret of the environment is looked for by itself; shorter ones occur by chance."""


def without_credentials(value: Shown) -> Shown:
    """A text or config without user names, passwords and tokens.

    Gone are the user and password of an address, secrets in its query, the values of config keys named as secrets, and
    wherever they occur the values of environment variables named as secrets.

    Args:
        value: a text, or nested mappings and lists; whatever is neither is returned as it is.
    """
    return _clean(value, _of_environment())


def _clean(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        text = USERINFO.sub("", value)
        for pattern in (IN_QUERY, IN_SETTING, IN_HEADER):
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text
    if isinstance(value, Mapping):
        return {key: HIDDEN if _is_secret(key, item) else _clean(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_clean(item, secrets) for item in value)
    return value


def _is_secret(key: Any, value: Any) -> bool:
    is_text = isinstance(value, str) and bool(value) and value[0] not in "@$%"  # references hold nothing themselves
    return is_text and SECRET_KEY.search(str(key)) is not None


def _of_environment() -> list[str]:
    named = {name: value for name, value in os.environ.items() if SECRET_KEY.search(name) and name != WORKING_DIRECTORY}
    found = [value for value in named.values() if len(value) >= SHORTEST]
    return sorted(found, key=len, reverse=True)
