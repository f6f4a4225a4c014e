"""Times as a person says them."""


def clock(seconds: float) -> str:
    """A duration as `1:04` or `2:01:04`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float) -> str:
    """A duration as a person says it: `40 s`, `29 min`, `3.5 h`, `2.1 d`."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}" if name != "h" else f"{seconds / unit:.1f} h"
    return f"{seconds / 86_400:.1f} d"


def pace_of(images_per_second: float) -> str:
    """A speed with three digits, or as many as it has before the point: `2.54`, `48.4`, `1,622`."""
    return f"{images_per_second:,.0f}" if images_per_second >= 100 else f"{images_per_second:.3g}"
