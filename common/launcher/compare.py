"""`compare`: two evaluated runs, image by image."""

import json
from collections.abc import Sequence
from pathlib import Path

from . import words
from .errors import UsageError
from .line import near
from .runs import find_folder

USAGE = "compare RUN_A RUN_B [--out FILE]"
HELP = """Say how much better B is than A on the same images, with 95 % intervals over patients. Both must have been
evaluated on one split. A table is printed; the numbers are written to RUN_B/compared_with_A.json or --out.

  python -m common compare phantom-scratch-seed0 phantom-ace-seed0"""


def compare(arguments: Sequence[str]) -> int:
    """Print and write the differences of the second run from the first.

    Raises:
        UsageError: not two runs, or two that cannot be compared.
    """
    given = words.parse(arguments, options=["out"])
    words.refuse_overrides("compare", given, ["out"])
    if len(given.names) != 2:
        raise UsageError(f"`compare` takes two runs, not {len(given.names)}.", f"Write: python -m common {USAGE}")
    first, second = (Path(near(find_folder(name))) for name in given.names)
    out = Path(given.own.get("out", second / f"compared_with_{first.name}.json"))

    import pandas as pd  # this and what follows takes seconds, for which `help` must not wait

    from ..files import outputs
    from ..scoring.compare import IncomparableError, compare, read_evaluation

    try:
        found = compare(read_evaluation(first), read_evaluation(second))
    except IncomparableError as error:
        raise UsageError(*error.args) from error
    with outputs(out) as [partial]:
        partial.write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")
    table = pd.DataFrame(found.rows).rename(columns={"first": "A", "second": "B", "difference": "B - A"})
    print(f"A: {first}\nB: {second}")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    better = "lower" if found.about["lower_is_better"] else "higher"
    counted = f"{found.about['images']} images of {found.about['patients']} patients"
    print("\n".join([*found.notices, f"{counted}; {better} is better. low, high: 95 % interval of B - A."]))
    print(f"Written to {out}")
    return 0
