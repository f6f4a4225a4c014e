"""Keeping the images of some projections alone."""

from collections import Counter
from collections.abc import Sequence

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Record


def keep_views(records: Sequence[Record], views: Sequence[str] | None) -> list[Record]:
    """Keep the images of some projections, and say how many others there were.

    Args:
        records: of a data set.
        views: the reader's option, such as ["PA", "AP"]; None keeps all.

    Raises:
        DatasetError: a projection that no image has.
    """
    if views is None:
        return list(records)
    counts = Counter(record.view for record in records)
    wanted = [views] if isinstance(views, str) else list(views)
    if strange := [view for view in wanted if view not in counts]:
        known = ", ".join(f"{view or 'unknown'} {count:,}" for view, count in counts.most_common())
        raise DatasetError("views", f"no image has the projection {strange[0]!r}", f"There are: {known}")
    kept = [record for record in records if record.view in wanted]
    add_notice(f"{len(records) - len(kept):,} images of other projections than {', '.join(wanted)} left out")
    return kept
