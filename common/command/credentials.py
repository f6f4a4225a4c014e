"""Secrets in addresses and settings, taken out of whatever a person or a file is shown."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from .secret_names import holds_secret, is_secret_name

Shown = TypeVar("Shown")
HIDDEN = "***"
INSIDE = r"(?:[^\s/'\"]|['\"](?![\s,;)\]}]|$))"  # of a password: a quote that ends no text is part of it
PORT = r"(?:80|443|3128|3306|5000|5001|5432|8000|8080|8443|8888|9000|9999)?(?:[/?#]|$)"
HOST = r"(?:localhost|[\w-]+(?:\.[\w-]+)+|\[[\da-fA-F:]+\])"
USERINFO = re.compile(
    r"(?:(?<=://)|(?<=//)(?<![\w:/)\]]//)(?=[^\s/:@]+:))(?:"
    r"[^\s/'\"]*@"  # user, user:password or token, up to the last @ before the path
    rf"|[^\s/:'\"@]+:{INSIDE}*@"
    rf"|(?!{HOST}:\d*/)[^\s/:'\"@]+:(?!{PORT})[^\s'\"]*@"  # a password with a slash; what follows the colon is no port
    r")"
)
ENCODED = re.compile(r"\b[\w.+~-]+%3A(?:(?!%40)[^\s&;'\"/@])+%40(?=\w)", re.IGNORECASE)
VALUE = r"(?:'[^']*'|\"[^\"]*\"|\{[^}]*\}|(?:[^\s&;,'\"#)]|['\"](?![\s,;)\]}&]|$))+)"
IN_QUERY = re.compile(
    rf"([?&;#](?:[\w.-]+[-_.])?(?:pass|key|jwt|code|session|sid|sig|auth|token)=)((?!\*\*\*){VALUE})", re.IGNORECASE
)
ENCODED_SETTING = re.compile(
    r"((?:%3B|%26|\?|&|=)(?:pwd|pass|password|passwd|secret|token)%3D)(?:(?!%3B|%26)[^\s&'\"])+", re.IGNORECASE
)
IN_SETTING = re.compile(rf"(?<![\w@])(?P<name>[\w.-]+)(?P<between>['\"]?\s{{0,2}}[:=]\s{{0,2}})(?P<value>{VALUE})")
IN_HEADER = re.compile(r"(authorization\W+(?:basic|bearer)\s+|\bbearer\s+(?=\S{16}))[^\s'\"]+", re.IGNORECASE)
PLAIN = re.compile(r"^(?:[@$%(\[{].*|\*+|-?\d{1,4}|true|false|null|none)$", re.IGNORECASE)
ORDINARY = re.compile(r"^(?:[A-Za-z_-]+|[\d.]+)$")
TRACKING = "MLFLOW_"
WORKING_DIRECTORY = "PWD"  # as every shell sets it; no password
SHORTEST = 8
"""Characters from which on a secret of the environment is looked for by itself; shorter ones occur by chance."""


def without_credentials(value: Shown, environment: Mapping[str, str] | None = None) -> Shown:
    """A text or config without user names, passwords and tokens.

    Gone are the user and password of an address, secrets in its query, the values of settings named as secrets, and the
    values of environment variables named as secrets where they stand as a word of their own.

    Args:
        value: a text, or nested mappings and lists; whatever is neither is returned as it is.
        environment: variables to look for; None is this process's.
    """
    return _clean(value, _of_environment(os.environ if environment is None else environment))


def _clean(value: Any, secrets: list[re.Pattern[str]]) -> Any:
    if isinstance(value, str):
        text = ENCODED.sub("", USERINFO.sub("", value))
        for pattern in (IN_QUERY, ENCODED_SETTING, IN_HEADER):
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        text = IN_SETTING.sub(_hide_setting, text)
        for secret in secrets:
            text = secret.sub(HIDDEN, text)
        return text
    if isinstance(value, Mapping):
        return {key: HIDDEN if holds_secret(str(key), item) else _clean(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        cleaned = [_clean(item, secrets) for item in value]
        return type(value)(*cleaned) if hasattr(value, "_fields") else type(value)(cleaned)
    return value


def _hide_setting(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    if not is_secret_name(name) or name.lower() == "authorization" or PLAIN.match(value):
        # its value may hold a setting in turn: note: "password: ..."
        return f"{name}{found['between']}{IN_SETTING.sub(_hide_setting, value)}"
    quote = value[0] if value[0] in "'\"" and value[-1] == value[0] else ""
    return f"{name}{found['between']}{quote}{HIDDEN}{quote}"


def _of_environment(environment: Mapping[str, str]) -> list[re.Pattern[str]]:
    found = [
        (value, name)
        for name, value in environment.items()
        if is_secret_name(name) and name != WORKING_DIRECTORY and len(value) >= SHORTEST and not _is_path(value)
    ]
    return [_word(value) for value, name in sorted(found, key=lambda pair: -len(pair[0])) if _is_sought(value, name)]


def _is_path(value: str) -> bool:
    return os.sep in value and len(value) < 1024 and Path(value).exists()


def _is_sought(value: str, name: str) -> bool:
    """A word of everyday language is a secret where it is one of the tracking's."""
    return name.startswith(TRACKING) or not ORDINARY.match(value)


def _word(value: str) -> re.Pattern[str]:
    beside = r"\w/\\.-" if ORDINARY.match(value) else r"\w"
    return re.compile(rf"(?<![{beside}]){re.escape(value)}(?![{beside}])")
