"""From rows of predictions to numbers, their intervals, and differences between runs.

Neither PyTorch nor MONAI is imported, so that what reads the tables of evaluations does not wait for them.
"""

from .bootstrap import few_patients, patient_intervals

__all__ = ["few_patients", "patient_intervals"]
