"""A file as a tensor."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from common.images import DecodeImaged, read_image


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp"])
def test_no_tensor_shares_a_decoders_read_only_bytes(tmp_path, suffix):
    path = tmp_path / f"one.{suffix}"
    Image.linear_gradient("L").save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PyTorch's, of undefined behaviour
        image = DecodeImaged(keys=["image"])({"image": str(path)})["image"]
    assert image.dtype == torch.float32 and np.array_equal((image * 255).round().numpy(), read_image(path))
