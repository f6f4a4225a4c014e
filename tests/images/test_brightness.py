import pytest
import torch

from common.export.graph_config import graph_config
from common.images import white_is_one


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (torch.tensor([[0, 255]], dtype=torch.uint8), 255),
        (torch.tensor([[0, 1]], dtype=torch.uint8), 255),  # nearly black, and not black and white
        (torch.tensor([[0, 256]], dtype=torch.int32), 511),
        (torch.tensor([[0, 4095]], dtype=torch.int32), 4095),
        (torch.tensor([[0.0, 65535.0]]), 65535),
        (torch.tensor([[0.0, 1.5]]), 255),
        (torch.tensor([[0.0, 1.0]]), 1),
        (torch.tensor([[0.0, 0.5]]), 1),
    ],
)
def test_white_is_one_whatever_the_bits(values, white):
    torch.testing.assert_close(white_is_one(values), values[None] / white)
    assert torch.equal(white_is_one(values), white_is_one(values[None]))  # with a channel or without
    transform = {"_target_": "monai.transforms.Lambdad", "func": "$common.images.white_is_one"}
    alone = graph_config({"preprocessing": {"transforms": [transform]}})["preprocessing"]["transforms"][0]["func"]
    torch.testing.assert_close(eval(alone.removeprefix("$"))(values), values[None] / white)
