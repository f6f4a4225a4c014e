"""Geometric transforms that MONAI lacks, as MONAI dictionary transforms: one draw moves image and masks together.

Shapes: C channels, H W pixels of one sample.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_tensor, ensure_tuple_rep
from torch import Tensor

from .boxes import check_range, random_resized_box
from .resample import crop_resize

MODES = ("bilinear", "nearest")
Sample = Mapping[Hashable, Any]


class _RandGeometricd(RandomizableTransform, MapTransform):
    """Base: keys with their interpolation, and a torch generator that follows MONAI's random state.

    Args:
        keys: of the sample.
        mode: "bilinear" for images, "nearest" for masks (values such as 255, not annotated, must not mix); one
            for all keys, or one for each.
        prob: probability of the transform.
    """

    def __init__(self, keys: KeysCollection, mode: str | Sequence[str], prob: float):
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.mode = ensure_tuple_rep(mode, len(self.keys))
        if unknown := set(self.mode) - set(MODES):
            raise ValueError(f"mode {unknown} of {type(self).__name__} is unknown; expected one of {MODES}.")

    def generator(self) -> torch.Generator:
        """A generator seeded from this transform's own state, so that reseeding it reseeds everything drawn."""
        return torch.Generator().manual_seed(int(self.R.randint(2**31)))


class RandResizedCropd(_RandGeometricd):
    """Cut a box of random area and shape and resize it to a square; or, when not drawn, resize the whole image.

    torchvision's RandomResizedCrop, in one antialiased resampling (methods, section 7, classification). With a ratio of
    (1, 1) it is albumentations' RandomSizedCrop but for the side, whose square is uniform here.

    Args:
        keys: tensors (C, H, W).
        size: side of the result in pixels.
        area: lowest and highest share of the image's area, in (0, 1].
        ratio: lowest and highest width / height of the box.
        mode: "bilinear" or "nearest", for all keys or for each.
        prob: probability of a random box.

    Example:
        >>> crop = RandResizedCropd(["image", "label"], size=32, mode=["bilinear", "nearest"], prob=1.0)
        >>> made = crop({"image": torch.rand(1, 64, 48), "label": torch.ones(2, 64, 48)})
        >>> made["image"].shape, made["label"].shape
        (torch.Size([1, 32, 32]), torch.Size([2, 32, 32]))
    """

    def __init__(
        self,
        keys: KeysCollection,
        size: int,
        area: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        mode: str | Sequence[str] = "bilinear",
        prob: float = 1.0,
    ):
        super().__init__(keys, mode, prob)
        self.size = size
        self.area = check_range(area, (1e-6, 1), "RandResizedCropd.area")
        self.ratio = check_range(ratio, (1e-2, 1e2), "RandResizedCropd.ratio")

    def __call__(self, data: Sample) -> dict[Hashable, Any]:
        """Crop every key by the same box, relative to its size."""
        out = dict(data)
        self.randomize(None)
        height, width = out[self.first_key(out)].shape[-2:]  # type: ignore[index]
        box_4 = torch.tensor([0.0, 0.0, height, width])
        if self._do_transform:
            box_4 = random_resized_box(self.generator(), (height, width), self.area, self.ratio)
        for key, mode in self.key_iterator(out, self.mode):
            out[key] = self._cut(convert_to_tensor(out[key], track_meta=False), box_4, mode)
        return out

    def _cut(self, image_CHW: Tensor, box_4: Tensor, mode: str) -> Tensor:
        if mode == "bilinear":
            return crop_resize(image_CHW[None].float(), box_4[None], self.size)[0]
        top, left, bottom, right = box_4.tolist()
        step = (torch.arange(self.size) + 0.5) / self.size
        rows = (top + step * (bottom - top)).long().clamp(max=image_CHW.shape[1] - 1)
        cols = (left + step * (right - left)).long().clamp(max=image_CHW.shape[2] - 1)
        return image_CHW[:, rows][:, :, cols]


class RandOpticalDistortiond(_RandGeometricd):
    """Barrel or pincushion distortion, as of a lens, about a point near the centre.

    A pixel at offset (y, x) from the centre, in units of the image's width, is read from (1 + k r^2 + k r^4) times that
    offset, r its length: the camera model with two equal radial coefficients that albumentations' OpticalDistortion
    uses with width as focal length. Below k = -0.8 the corners fold back over the image.

    Args:
        keys: tensors (C, H, W) of one size.
        strength: range of k; (-2, 2) in the released segmentation code (methods, section 7).
        shift: largest shift of the centre in pixels on each axis; 0.5 there.
        mode: "bilinear" or "nearest", for all keys or for each.
        prob: probability of the transform.

    Example:
        >>> image = torch.rand(1, 9, 9)
        >>> bent = RandOpticalDistortiond("image", strength=(0.5, 0.5), shift=0.0, prob=1.0)({"image": image})["image"]
        >>> torch.isclose(bent, image)[0, [0, 4], [0, 4]]  # a corner, and the centre
        tensor([False,  True])
    """

    def __init__(
        self,
        keys: KeysCollection,
        strength: tuple[float, float] = (-2.0, 2.0),
        shift: float = 0.5,
        mode: str | Sequence[str] = "bilinear",
        prob: float = 0.1,
    ):
        super().__init__(keys, mode, prob)
        self.strength = check_range(strength, (-10, 10), "RandOpticalDistortiond.strength")
        self.shift = shift

    def __call__(self, data: Sample) -> dict[Hashable, Any]:
        """Distort every key by the same lens; reflected beyond the borders."""
        out = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return out
        k = self.R.uniform(*self.strength)
        shift = (self.R.uniform(-self.shift, self.shift), self.R.uniform(-self.shift, self.shift))
        height, width = out[self.first_key(out)].shape[-2:]  # type: ignore[index]
        grid_1HW2 = distortion_grid(height, width, k, shift)[None]
        for key, mode in self.key_iterator(out, self.mode):
            image_CHW = convert_to_tensor(out[key], track_meta=False)
            sampled = F.grid_sample(
                image_CHW[None].float(), grid_1HW2, mode=mode, padding_mode="reflection", align_corners=False
            )
            out[key] = sampled[0].to(image_CHW.dtype)
        return out


def distortion_grid(height: int, width: int, strength: float, shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Where each output pixel is read from: (H, W, 2), (x, y) in [-1, 1] as `grid_sample` wants it.

    Args:
        height: pixels.
        width: pixels; the unit of the model, so that r is 0.5 at the middle of the left and right borders.
        strength: k of both radial terms.
        shift: (row, col) of the centre from the image's centre, in pixels.
    """
    centre_row, centre_col = height / 2 + shift[0], width / 2 + shift[1]
    y_HW, x_HW = torch.meshgrid(
        (torch.arange(height) + 0.5 - centre_row) / width,
        (torch.arange(width) + 0.5 - centre_col) / width,
        indexing="ij",
    )
    square_HW = y_HW**2 + x_HW**2
    factor_HW = 1 + strength * square_HW + strength * square_HW**2
    row_HW, col_HW = y_HW * factor_HW * width + centre_row, x_HW * factor_HW * width + centre_col
    return torch.stack([2 * col_HW / width - 1, 2 * row_HW / height - 1], dim=-1)
