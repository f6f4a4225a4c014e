import pytest
import torch
from analysis_parts import Stub, images_of, noise

from bundles.embedding_analysis.scripts.patches import cut, embed_patches, squares
from common.views import crop_resize


@pytest.mark.parametrize("size", [5, 24])
def test_patches_are_those_of_whole_images(size):
    """Enlarged, shrunk, across a border and beyond it; of any size in one batch, some of them mirrored."""
    images = torch.from_numpy(noise(3, 40))[:, None]
    index = torch.tensor([2, 0, 0, 1, 2, 1])
    boxes = torch.tensor(
        [
            [0.1, 0.2, 0.4, 0.9],
            [-0.3, 0.5, 0.2, 1.2],
            [0.0, 0.0, 1.0, 1.0],
            [0.81, 0.77, 1.1, 0.9],
            [0.5, -0.4, 0.6, -0.1],
            [0.33, 0.41, 0.48, 0.5],
        ]
    )
    flip = torch.tensor([True, False, True, False, False, True])
    expected = crop_resize(images[index], boxes * 40, size, flip)
    assert torch.allclose(cut(images, index, boxes, size, flip), expected, atol=1e-5)
    alone = [cut(images, index[n : n + 1], boxes[n : n + 1], size, flip[n : n + 1]) for n in range(6)]
    assert torch.allclose(torch.cat(alone), expected, atol=1e-5)


def test_embeddings_come_in_the_order_asked_for():
    """Whatever is batched together: the encoder repeats its patch, which is a grey of its image."""
    images = images_of([[[10 * number] * 8] * 8 for number in range(7)])
    index = torch.tensor([3, 3, 6, 0, 1, 6, 2, 3, 5])
    boxes = squares(torch.full((9, 2), 0.5), 0.5) * torch.linspace(0.4, 1, 9)[:, None]
    found = embed_patches(Stub(lambda x: x.mean((2, 3))), images, index, boxes, size=4, batch_size=2)
    assert torch.allclose(found[:, 0] * 255, 10.0 * index, atol=1e-3)
