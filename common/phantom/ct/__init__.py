"""The phantom on a CT: lobes, heart and abdominal organs as masks, and findings tied to places."""

from .abdomen import injuries_of, make_abdomen
from .chest import make_chest
from .ct_rate import write_ct_rate
from .ratic import write_ratic
from .volume import NAMES, STRUCTURES, PhantomCT

__all__ = [
    "NAMES",
    "STRUCTURES",
    "PhantomCT",
    "injuries_of",
    "make_abdomen",
    "make_chest",
    "write_ct_rate",
    "write_ratic",
]
