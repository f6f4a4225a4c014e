"""What the tests of every pre-training recipe do with it."""

from pathlib import Path

import torch
from monai.bundle import ConfigParser

from common.command import read_recipe

BUNDLES = Path(__file__).parents[2] / "bundles"


def parsed(bundle: str, *overlays: str) -> ConfigParser:
    """A bundle's recipe under overlays."""
    return read_recipe(*(BUNDLES / bundle / f"configs/{name}.yaml" for name in ("train", *overlays)))


def config_names(bundle: str) -> set[str]:
    """Every config of a bundle, as overlays are named."""
    configs = BUNDLES / bundle / "configs"
    return {str(path.relative_to(configs).with_suffix("")) for path in configs.rglob("*.yaml")}


def first_losses(parser: ConfigParser, size: int = 160) -> dict[str, torch.Tensor]:
    """Losses of a recipe's method on two images of noise."""
    method = parser.get_parsed_content("method")
    channels = method.student.encoder.description.in_channels
    images = torch.randint(0, 256, (2, channels, size, size), dtype=torch.uint8)
    draws = [method.view.sample(torch.Generator().manual_seed(i), (size, size)) for i in range(2)]
    return method({"image": images, "view": {key: torch.stack([d[key] for d in draws]) for key in draws[0]}})


def orders(overlay: str) -> tuple[tuple[str, ...], ...]:
    """An overlay before and after the smoke preset; a size preset stands alone."""
    return ((overlay,),) if overlay in ("smoke", "small") else ((overlay, "smoke"), ("smoke", overlay))
