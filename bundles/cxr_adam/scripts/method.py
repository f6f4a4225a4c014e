"""Adam: autodidactic dense anatomical models, learned by telling parts of many images apart.

MoCo v2 on anatomical parts: the query encoder must recognise a part in another crop of it, among the keys of a memory
bank. Look-alike parts of other images, of which there are more the smaller the parts, are pruned from the negatives.

Paper: https://arxiv.org/abs/2309.15358.

Shapes: B images, E channels of an embedding.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from common.losses import MemoryBank
from common.networks import Encoder
from common.teachers import StudentTeacher
from common.views import View


class EncoderWithHead(nn.Module):
    """What the query and the key network are: an encoder and a projection head.

    Args:
        encoder: embeds images.
        head: maps an embedding to a unit vector.
    """

    def __init__(self, encoder: Encoder, head: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Unit vectors (B, E) of images (B, C, S, S) in [0, 1]."""
        return self.head(self.encoder.embed(images_BCHW))


class Adam(StudentTeacher):
    """The training module: query network (the student), key network (its teacher) and memory bank.

    The key network runs on other crops than the query network and keeps batch norm statistics of its own, as MoCo's
    does: its weights are an old average, and the query network's running statistics would not fit them. Moving it
    after each step of the optimiser equals MoCo's order, which moves it before the keys are computed: both start
    equal, so that the first move does nothing. Keys are not shuffled between processes: batch norm is shared by them
    all (B13).

    Args:
        encoder: the query network's encoder, which is what is transferred.
        view: samples and renders `query` and `key`.
        head: projection head.
        contrast: loss with the memory bank and the pruner.
        gather: concatenates keys over processes, for the bank; None in a single process.
    """

    student: EncoderWithHead

    def __init__(
        self,
        encoder: Encoder,
        view: View,
        head: nn.Module,
        contrast: MemoryBank,
        gather: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__(EncoderWithHead(encoder, head), copy_buffers=False)
        self.view = view
        self.contrast = contrast
        self.gather = gather

    @property
    def transferred_encoder(self) -> Encoder:
        """The query network's."""
        return self.student.encoder

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch with `image` (B, C, S, S) uint8 and `view` (sampled parameters)."""
        views = self.view.render(batch["image"], batch["view"])
        return self.losses(views["query"], views["key"])

    def losses(self, query_BCHW: Tensor, key_BCHW: Tensor) -> dict[str, Tensor]:
        """The loss of two rendered crops in [0, 1], and the share of negatives that was pruned, for tracking.

        In training the keys then enter the bank. In evaluation nothing changes (B9).
        """
        query_BE, key_BE = self.student(query_BCHW), self.teacher(key_BCHW)
        loss, pruned = self.contrast(query_BE, key_BE)
        if self.training:
            self.contrast.enqueue(key_BE, gather=self.gather)
        return {"loss": loss, "pruned": pruned}
