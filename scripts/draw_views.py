"""Draw what a pre-training bundle shows its network: images, the parts that are cut out, and the views made of them.

python scripts/draw_views.py cxr_adam small --set dataset_dir=data/phantom --set level=2 --out views.png

It is the figure that a run keeps as `figures/views`, without a run: of the recipe with the overlays that are named, and
with keys set anew, written as in a recipe. LeADER's shows its experts, whose files it must be given.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from common.command import read_recipe
from common.command.excepthook import cause
from common.files.errors import DatasetError

BUNDLES = Path(__file__).parents[1] / "bundles"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="such as cxr_ace")
    parser.add_argument("overlays", nargs="*", help="of its configs, such as small")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as often as needed")
    parser.add_argument("--images", type=int, default=3, help="rows")
    parser.add_argument("--out", type=Path, default=Path("views.png"), help="PNG, PDF or SVG")
    options = parser.parse_args(words)
    configs = BUNDLES / options.bundle / "configs"
    files = [configs / f"{name}.yaml" for name in ("train", *options.overlays)]
    if absent := [str(file) for file in files if not file.is_file()]:
        parser.error(f"{', '.join(absent)} is absent: name a bundle and overlays of its configs")
    if wrong := [word for word in options.set if "=" not in word]:
        parser.error(f"--set is {wrong[0]!r}; expected KEY=VALUE")
    recipe = read_recipe(*files)
    with TemporaryDirectory() as folder:
        settings = dict(word.split("=", 1) for word in options.set)
        for key, value in {"output_root": folder, "device": "cpu", **settings}.items():
            recipe[key.replace("#", "::")] = yaml.safe_load(value)
        recipe["tracking"], handlers = None, recipe["train"]["handlers"]
        drawing = [number for number, handler in enumerate(handlers) if "dataset" in handler and "view" in handler]
        if len(drawing) != 1:
            parser.error(f"{options.bundle} has no handler that draws views; the pre-training bundles have")
        recipe[f"train::handlers::{drawing[0]}::count"] = options.images
        recipe.parse(reset=True)
        try:
            recipe.get_parsed_content(f"train::handlers::{drawing[0]}").figure().savefig(options.out, dpi=100)
        except RuntimeError as error:  # MONAI's, around what the recipe's parts raise
            first = cause(error)
            if not isinstance(first, DatasetError):
                raise
            print(f"draw_views: {first}", file=sys.stderr)
            return 1
    print(f"{options.images} images in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
