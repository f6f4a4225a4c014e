import torch

from bundles.cxr_adam_v2.scripts.heads import Composer, Decomposer


def test_composer_concatenates_the_parts_of_each_image_in_order():
    composer = Composer(3)
    parts = torch.randn(4, 2, 3)
    first, _, second = composer
    for image in range(2):
        together = torch.cat([parts[part, image] for part in range(4)])
        expected = second.weight @ (first.weight @ together + first.bias).clamp(min=0) + second.bias
        torch.testing.assert_close(composer(parts)[image], expected)
    assert (first.in_features, first.out_features, second.out_features) == (12, 3, 3)


def test_decomposer_gives_four_parts_in_the_order_of_its_outputs():
    decomposer = Decomposer(3)
    whole = torch.randn(2, 3)
    first, _, second = decomposer
    flat = second.weight @ (first.weight @ whole[1] + first.bias).clamp(min=0) + second.bias
    parts = decomposer(whole)
    assert parts.shape == (2, 4, 3)
    torch.testing.assert_close(parts[1], torch.stack(flat.split(3)))
    assert (first.in_features, first.out_features, second.out_features) == (3, 3, 12)
