"""What the machine does while a training is tracked."""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store import RunStore


class SystemMetrics:
    """MLflow's own monitor of processor, memory, disk, network and NVIDIA GPUs, logged as `system/...`.

    It speaks to the server from a thread of its own, and is off unless asked for.

    Args:
        every: seconds between two samples, above 0; None logs nothing.

    Raises:
        ValueError: no time between two samples.
        ImportError: `psutil` is not installed.
    """

    def __init__(self, every: float | None = None):
        if every is not None:
            if every <= 0:
                raise ValueError(f"tracking#system_metrics is {every}; give seconds above 0, or null for none")
            _require_psutil()
        self.every = every
        self._monitor: Any = None

    def start(self, store: "RunStore") -> None:
        """Begin, or go on after the last sample of the store's run."""
        if self.every is None or self._monitor is not None:
            return
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics.system_metrics_monitor").setLevel(logging.WARNING)
        self._monitor = SystemMetricsMonitor(
            store.id, sampling_interval=self.every, resume_logging=True, tracking_uri=store.uri
        )
        self._monitor.start()

    def stop(self) -> None:
        """End the thread; what it has gathered is logged."""
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None


def _require_psutil() -> None:
    try:
        import psutil  # noqa: F401  MLflow's monitor takes it, and fails late without it
    except ImportError as error:
        raise ImportError("tracking#system_metrics needs psutil: pip install psutil (nvidia-ml-py for GPUs)") from error
