"""Names in figures."""


def as_written(name: str) -> str:
    r"""A name as a text of matplotlib, which takes what stands between two `$` for a formula and fails on `$\x$`."""
    return name.replace("$", r"\$")
