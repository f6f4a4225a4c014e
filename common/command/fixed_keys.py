"""Changes of a recipe that a run's checkpoints cannot take, so that nobody is told to try."""

import re
from collections.abc import Collection

LENGTH = re.compile(
    r"(?:batch_size|label_fraction|label_limit|image_limit|datasets|dataset_options#\w+_fraction|dataset_options#split_\w+"
    r"|train#items|train#dataloader#(?:batch_size|drop_last)|train#trainer#epoch_length)(?:#|$)"
)
"""Keys by which an epoch has other iterations, in which a checkpoint counts its place in the run."""
IMAGES = re.compile(r"(?:dataset|dataset_dir|dataset_options)(?:#|$)")
"""Further ones by which it has, unless they lead to the same images: a folder may have been moved."""
NETWORK = re.compile(
    r"(?:(?:method|network_def)#(?:\w+#)*)?"
    r"(?:architecture|architecture_options|encoder_options|channels|decoder|decoder_channels|hidden|structures|findings"
    r"|landmarks|segment|codes|bank_size|hidden_dim|projection_dim|head_dim)(?:#|$)"
)
"""Keys by which weights or memories have other shapes."""
SHOWN = 3


def way_on(changed: Collection[str]) -> str:
    """How a run may go on though its recipe has changed, or what keeps it from that; for a person.

    Args:
        changed: keys with their parents, such as `optimizer#lr`.
    """
    longer, other = ([key for key in changed if kind.match(key)] for kind in (LENGTH, NETWORK))
    if longer or other:
        what = [f"the iterations of an epoch ({_few(longer)})"] if longer else []
        what += [f"the shapes of weights ({_few(other)})"] if other else []
        back = "the old values" if len(longer + other) > 1 else "the old value"
        on = "--resume True goes on with the rest" if len(longer + other) < len(changed) else "it goes on as it was"
        return f"This one's checkpoints cannot change {' and '.join(what)}: with {back} {on}."
    images = [key for key in changed if IMAGES.match(key)]
    if images:
        return f"To go on in this one, if {_few(images)} still gives the same images: --resume True."
    return "To go on in this one, as with more epochs: --resume True."


def _few(keys: Collection[str]) -> str:
    shown = list(keys)[:SHOWN]
    return ", ".join(shown) + (", ..." if len(keys) > len(shown) else "")
