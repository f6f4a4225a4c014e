"""Inference on a folder in which some files are damaged: all others are looked at, and the damaged ones are named.

Training refuses a damaged image, since it would learn from other data than it says. Here one file of thousands
shall not cost the answers for all others.
"""

import logging
from collections.abc import Iterator
from typing import Any

from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset, list_data_collate

from ..files.errors import LeftOut, OtherKind, UnreadableImage
from ..files.quarantine import Quarantined, named, nothing_left

logger = logging.getLogger(__name__)
SAID = 5  # one by one, as they are met; the end counts all


class OfOtherKind(Quarantined):
    """A sound file that asks for no answer."""


class ReadableImages(Dataset):
    """MONAI's dataset, except that an item whose file cannot be read is a `Quarantined`, which says why."""

    def _transform(self, index: int) -> Any:
        try:
            return super()._transform(index)
        except Exception as error:
            found: BaseException | None = error
            while found is not None and not isinstance(found, UnreadableImage):  # a transform's error wraps it
                found = found.__cause__
            if found is None:
                raise
            kind = OfOtherKind if isinstance(found, OtherKind) else Quarantined
            return kind(found.path, found.reason, found.remedy)


class ReadableLoader(DataLoader):
    """MONAI's loader for `ReadableImages`: batches of what could be read.

    It stands among the evaluator's handlers too: where a whole batch is missing there are fewer than its length says,
    and Ignite would begin again to make up for them.

    Args:
        dataset: whose items may be `Quarantined`.
        what: the items are, in words.
        settings: of MONAI's loader, except `collate_fn`.
    """

    def __init__(self, dataset: Dataset, what: str = "images", **settings: Any):
        super().__init__(dataset, collate_fn=_apart, **settings)
        self.left_out: list[Quarantined] = []
        self.set_aside: list[Quarantined] = []
        self.total, self.what = len(dataset), what

    def attach(self, engine: Engine) -> None:
        """End this engine's epoch where the batches end."""
        engine.add_event_handler(Events.DATALOADER_STOP_ITERATION, engine.terminate_epoch)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # Ignite asks for no more
        """Batches; files that are left out are said as they are met, the first few one by one.

        Raises:
            DatasetError: no file could be read.
        """
        self.left_out, self.set_aside = [], []
        for batch, unreadable in super().__iter__():
            self._say(unreadable)
            if batch is not None:
                yield batch
        lacking = [*self.left_out, *self.set_aside]
        if len(lacking) == self.total:
            raise nothing_left("dataset_dir", f"none of {self.total:,} {self.what} could be read", lacking)

    def tell(self) -> None:
        """Say at the end of a command what is missing in what it wrote.

        Raises:
            LeftOut: some files could not be read, so that the command does not end as if all were well.
        """
        total = self.total - len(self.set_aside)
        if self.set_aside:
            first = self.set_aside[0]
            logger.warning(
                "%s of %s files are no %s and are set aside: %s. %s.",
                f"{len(self.set_aside):,}",
                f"{self.total:,}",
                self.what,
                named(self.set_aside),
                first.remedy,
            )
        if self.left_out:
            count = len(self.left_out)
            raise LeftOut(
                f"{count:,} of {total:,} {self.what} could not be read and {'is' if count == 1 else 'are'} left out: "
                f"{named(self.left_out)}. The other {total - count:,} are written."
            )

    def _say(self, unreadable: list[Quarantined]) -> None:
        self.set_aside += [file for file in unreadable if isinstance(file, OfOtherKind)]
        for file in (file for file in unreadable if not isinstance(file, OfOtherKind)):
            self.left_out.append(file)
            if len(self.left_out) <= SAID:
                logger.warning("%s: %s. It is left out.", file.path, file.reason)
            elif len(self.left_out) == SAID + 1:
                logger.warning("More files cannot be read; they are counted at the end.")


def _apart(items: list[Any]) -> tuple[Any, list[Quarantined]]:
    """The batch of what was read, None where nothing was, and the rest."""
    read = [item for item in items if not isinstance(item, Quarantined)]
    return list_data_collate(read) if read else None, [item for item in items if isinstance(item, Quarantined)]
