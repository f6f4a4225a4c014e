"""What a run leaves behind for people: tracked numbers and figures."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collapse import TellCollapse
    from .dynamics import LogDynamics, dynamics_figure
    from .figures import matches_figure, views_figure
    from .gradient_shares import LogGradientShares
    from .log_views import LogViews
    from .progress import Progress
    from .server import reach_server
    from .tracking import Tracking

LAZY = {
    "LogDynamics": "dynamics",
    "LogGradientShares": "gradient_shares",
    "LogViews": "log_views",
    "Progress": "progress",
    "TellCollapse": "collapse",
    "Tracking": "tracking",
    "dynamics_figure": "dynamics",
    "matches_figure": "figures",
    "reach_server": "server",
    "views_figure": "figures",
}
"""These import MONAI and matplotlib, which take seconds."""

__all__ = [
    "LogDynamics",
    "LogGradientShares",
    "LogViews",
    "Progress",
    "TellCollapse",
    "Tracking",
    "dynamics_figure",
    "matches_figure",
    "reach_server",
    "views_figure",
]


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
