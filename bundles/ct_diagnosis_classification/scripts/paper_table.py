"""The paper's table of metrics: one row per class, and the means."""

import json
import math

from bundles.ct_diagnosis_classification.scripts.study_report import StudyReport
from common.evaluation import Outcome, SaveReport
from common.evaluation.report import defined_mean
from common.evaluation.save_report import without_nan
from common.files import outputs

# In the order of the paper's table; F1 in both conventions (methods E12).
METRICS = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "f1_weighted": "F1 (weighted)",
    "f1": "F1 (positives)",
    "precision": "Precision",
}


def table_rows(outcome: Outcome, averages: dict[str, tuple[str, ...]]) -> dict[str, dict[str, float]]:
    """Metrics in [0, 1] by class and then by mean; nan where undefined, which no mean counts.

    Args:
        outcome: of a report; without thresholds from another split it has AUC only.
        averages: names of the means and the classes they take.
    """
    table = {row["class"]: row for row in outcome.table}
    metrics = [name for name in METRICS if name in outcome.table[0]]
    rows = {name: {metric: float(row[metric]) for metric in metrics} for name, row in table.items()}
    means = {
        name: {metric: defined_mean([rows[row][metric] for row in classes]) for metric in metrics}
        for name, classes in averages.items()
    }
    return rows | means


def markdown(rows: dict[str, dict[str, float]]) -> str:
    """The rows as a Markdown table in percent, as papers print them."""
    metrics = list(next(iter(rows.values())))
    lines = [
        "| Class | " + " | ".join(METRICS[metric] for metric in metrics) + " |",
        "| --- |" + " ---: |" * len(metrics),
    ]
    for name, row in rows.items():
        values = ("undefined" if math.isnan(row[metric]) else f"{100 * row[metric]:.2f}" for metric in metrics)
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


class SavePaperTable(SaveReport):
    """Handler of an evaluator that leaves `paper_table.md` and `paper_table.json`; arguments as `SaveReport`."""

    report: StudyReport

    def write(self, outcome: Outcome) -> None:
        """Write both files of an outcome into the directory."""
        rows = table_rows(outcome, self.report.averages)
        numbers = {name: without_nan(row) for name, row in rows.items()}
        content = {**self.about, "volumes_or_studies": len(outcome.images), "rows": numbers, "notices": outcome.notices}
        notes = "".join(f"\n- {notice}" for notice in outcome.notices)
        files = [self.directory / name for name in ("paper_table.json", "paper_table.md")]
        with outputs(*files) as [table, text]:
            table.write_text(json.dumps(content, indent=2) + "\n")
            text.write_text(markdown(rows) + notes + ("\n" if notes else ""))
        if self.tracking is not None:
            for file in files:
                self.tracking.log_artifact(file)
