"""Write what the committed studies measured into the tables of the README files that quote them.

    python scripts/fill_results.py [--check]

A row is found by its first cell; its other cells are written anew. `--check` writes nothing: exit status 1, and the
rows that are not what the studies measured.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PRESETS = {  # label of a row in a bundle's README: metric of studies/presets, digits
    "landmarks of one phantom found in another, share": ("landmarks found", 3),
    "lung or not per token, phantoms, AUC": ("lung probe AUC", 3),
    "lung or not per token, 198 real radiographs, AUC": ("lung probe AUC, real", 3),
    "`embedding_rank`": ("embedding rank", 1),
    "Dice of lungs, heart and clavicles, fine-tuned on 12 labelled phantoms": ("Dice, 12 labels", 3),
}
BUNDLES = {
    "cxr_ace": ("random_8", "ace"),
    "cxr_adam": ("random_16", "moco_v2"),
    "cxr_adam_v2": ("random_16", "adam_v2"),
    "cxr_srhrs": ("random_16", "srhrs"),
    "cxr_leader": ("random_16", "leader"),
}
LEARNING = {
    "random weights, 8 pixels a token": "random_8",
    "ACE": "ace",
    "random weights, 16 pixels a token": "random_16",
    "SRHRS": "srhrs",
    "MoCo v2, Adam's level 0": "moco_v2",
    "Adam v2, LCD stage": "adam_v2",
    "LeADER, stage 2": "leader",
}
COMPARISON = {
    "random weights, 8 pixels a token": "random_8",
    "random weights, 16 pixels a token": "random_16",
    "ACE": "ace",
    "DINO": "dino",
    "SRHRS": "srhrs",
    "BYOL": "byol",
    "MoCo v2": "moco_v2",
    "Adam (three levels)": "adam",
    "Adam v2 (LCD stage)": "adam_v2",
    "LeADER (stage 2)": "leader",
}
OVER_SEEDS = {  # label of a row: method of studies/comparison that was measured with several seeds
    "random weights, 8 pixels": "random_8",
    "ACE, 36,384 views": "ace_today",
    "random weights, 16 pixels": "random_16",
    "SRHRS, 36,384 views": "srhrs_today",
    "MoCo v2, 36,384 views": "moco_v2_today",
    "Adam v2, 36,384 views": "adam_v2_today",
}
JUDGED_BY = ("landmarks found", "lung probe AUC", "parents found", "lung Dice, 12 labels")
BUDGETS = ("quarter", "today", "tenfold")
OF_BUDGETS = {"landmarks found": 3, "lung probe AUC": 3, "embedding rank": 0}
BY_VIEWS = {  # label of a row in a bundle's README: metric of studies/comparison
    "landmarks of phantoms found, by views": "landmarks found",
    "lung or not per token, AUC, by views": "lung probe AUC",
    "rank of embeddings, by views": "embedding rank",
}


def measured(study: str) -> Mapping[str, Any]:
    return json.loads((ROOT / "studies" / study / "table.json").read_text())["methods"]


def figure(about: Mapping[str, Any], digits: int) -> str:
    """Mean, sample standard deviation and number of seeds; `-` where nothing was measured."""
    if about["mean"] is None:
        return "-"
    deviation = "" if about["sd"] is None else f" ± {about['sd']:.{digits}f}"
    return f"{about['mean']:.{digits}f}{deviation} ({about['n']})"


def bundle_rows(bundle: str) -> Iterator[tuple[str, ...]]:
    methods = measured("presets")
    for label, (metric, digits) in PRESETS.items():
        yield label, *(figure(methods[name]["metrics"][metric], digits) for name in BUNDLES[bundle])
    methods, reference = measured("comparison"), BUNDLES[bundle][0]
    names = [reference, *(f"{bundle.removeprefix('cxr_')}_{budget}" for budget in BUDGETS)]
    for label, metric in BY_VIEWS.items():
        means = (methods[name]["metrics"][metric]["mean"] for name in names)
        yield label, *("-" if mean is None else f"{mean:.{OF_BUDGETS[metric]}f}" for mean in means)


def learning_rows() -> Iterator[tuple[str, ...]]:
    methods = measured("presets")
    for title, name in LEARNING.items():
        minutes = methods[name]["minutes"]["mean"]
        figures = (figure(methods[name]["metrics"][metric], digits) for metric, digits in PRESETS.values())
        yield title, "-" if minutes is None else f"{minutes:.1f}", *figures


def comparison_rows() -> Iterator[tuple[str, ...]]:
    """A cell holds the means of the three budgets; random weights have none."""
    methods = measured("comparison")
    for title, name in COMPARISON.items():
        runs = [methods[name]] if name in methods else [methods[f"{name}_{budget}"] for budget in BUDGETS]
        means = [[run["metrics"][metric]["mean"] for run in runs] for metric in OF_BUDGETS]
        written = [
            " / ".join("-" if mean is None else f"{mean:.{digits}f}" for mean in of_metric)
            for of_metric, digits in zip(means, OF_BUDGETS.values(), strict=True)
        ]
        minutes = [run["minutes"]["mean"] for run in runs]
        spent = " / ".join("-" if mean is None else f"{mean:.1f}" for mean in minutes)
        yield title, *written, spent


def rows_over_seeds() -> Iterator[tuple[str, ...]]:
    """Mean, deviation and number of seeds of each metric, and the gain of the last over random weights."""
    methods = measured("comparison")
    for title, name in OVER_SEEDS.items():
        metrics = methods[name]["metrics"]
        yield title, *(figure(metrics[metric], 3) for metric in JUDGED_BY), gain(metrics[JUDGED_BY[-1]])


def gain(about: Mapping[str, Any]) -> str:
    """Difference from the reference with its interval and corrected p; `-` of the reference itself."""
    if about.get("p_holm") is None:
        return "-"
    return f"{about['difference']:+.3f} [{about['low']:+.3f}, {about['high']:+.3f}], p {about['p_holm']:.2g}"


def pages() -> Iterator[tuple[Path, list[tuple[str, ...]]]]:
    """Each file that quotes a study, and its rows."""
    for bundle in BUNDLES:
        yield ROOT / "bundles" / bundle / "docs" / "README.md", list(bundle_rows(bundle))
    yield ROOT / "docs" / "learning.md", list(learning_rows())
    yield ROOT / "studies" / "comparison" / "README.md", [*comparison_rows(), *rows_over_seeds()]


def filled(text: str, rows: Sequence[tuple[str, ...]]) -> str:
    """A page with the rows as the studies have them.

    Raises:
        ValueError: it has no such row, or two.
    """
    lines = text.splitlines(keepends=True)
    for row in rows:
        places = [i for i, line in enumerate(lines) if line.startswith(f"| {row[0]} |")]
        if len(places) != 1:
            raise ValueError(f"{'two rows' if places else 'no row'} of a table named {row[0]!r}")
        lines[places[0]] = f"| {' | '.join(row)} |\n"
    return "".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and say what differs")
    check, stale = parser.parse_args(words).check, False
    for page, rows in pages():
        before = page.read_text()
        after = filled(before, rows)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
            if old != new:
                stale = True
                print(f"{page.relative_to(ROOT)}\n- {old}\n+ {new}")
        if not check:
            page.write_text(after)
    return int(check and stale)


if __name__ == "__main__":
    raise SystemExit(main())
