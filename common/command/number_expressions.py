"""Expressions of a config that can be nothing but a number, told without evaluating them."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from .places import lookup

_CALLS = ("int", "float", "len", "sum", "round", "abs")
_REFERENCE = re.compile(r"@([A-Za-z_][\w:#]*)")


def is_number(value: Any, config: Any, seen: Sequence[str] = ()) -> bool:
    """Whether a value of a config is a number, or an expression that is arithmetic with one.

    Args:
        value: from the config; references in it are followed.
        config: that the references point into.
        seen: references that led here.
    """
    if not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if value[:1] not in ("$", "@"):
        return False
    ids: dict[str, str] = {}

    def name_of(match: re.Match[str]) -> str:
        name = f"_reference_{len(ids)}"
        ids[name] = match[1].replace("::", "#")
        return name

    def gives_number(node: ast.AST) -> bool:
        match node:
            case ast.Constant():
                return is_number(node.value, config) if not isinstance(node.value, str) else False
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return gives_number(node.operand)
            case ast.BinOp(op=ast.Mult()):  # a list may be repeated
                return gives_number(node.left) and gives_number(node.right)
            case ast.BinOp(op=ast.Mod()):  # a text may be filled in
                return gives_number(node.left)
            case ast.BinOp():
                return gives_number(node.left) or gives_number(node.right)
            case ast.IfExp():
                return gives_number(node.body) and gives_number(node.orelse)
            case ast.Call(func=ast.Name(id=name)):
                return name in _CALLS
            case ast.Call(func=ast.Attribute(value=ast.Dict(values=values), attr="get"), args=[_, default]):
                return all(gives_number(each) for each in [*values, default])
            case ast.Name(id=name) if name in ids and ids[name] not in seen:
                return is_number(lookup(config, ids[name].split("#")), config, [*seen, ids[name]])
        return False

    try:
        return gives_number(ast.parse(_REFERENCE.sub(name_of, value).removeprefix("$").strip(), mode="eval").body)
    except SyntaxError:
        return False
