import pytest
import torch
import torch.nn.functional as F

from common.networks import Classifier, ProjectionHead


def test_classifier_is_linear_on_the_embedding(small, family):
    encoder = small(family)
    side = encoder.description.image_size
    classifier = Classifier(encoder, 14).eval()
    x = torch.rand(2, 1, side, side)
    logits = classifier(x)
    torch.testing.assert_close(logits, encoder.embed(x) @ classifier.head.weight.T)
    assert logits.shape == (2, 14)
    assert 0.008 < classifier.head.weight.std() < 0.012 and not classifier.head.bias.any()
    classifier.train()(torch.rand(2, 1, 2 * side, 2 * side)).square().mean().backward()
    assert all(p.grad is not None for p in classifier.parameters())


def test_a_second_layer_where_it_is_asked_for(small):
    encoder = small("resnet")
    side = encoder.description.image_size
    classifier, x = Classifier(encoder, 3, hidden=5).eval(), torch.rand(2, 1, side, side)
    (w, b), (u, c) = ((layer.weight, layer.bias) for layer in (classifier.head[0], classifier.head[2]))
    torch.testing.assert_close(classifier(x), (encoder.embed(x) @ w.T + b).clamp_min(0) @ u.T + c)
    with pytest.raises(ValueError, match="hidden is 0"):
        Classifier(encoder, 3, hidden=0)


def test_projection_head_is_dinos():
    head = ProjectionHead(24, 40, hidden_dim=32, bottleneck_dim=8)
    x = torch.randn(5, 24)
    first, second, third = (head.mlp[i] for i in (0, 2, 4))
    hidden = F.gelu(second(F.gelu(first(x))))
    bottleneck = third(hidden)
    cosines = F.cosine_similarity(bottleneck[:, None], head.last_layer.weight[None], dim=-1)
    torch.testing.assert_close(head(x), cosines)
    assert head(x).abs().max() <= 1 + 1e-6
    assert [p.shape for p in head.last_layer.parameters()] == [(40, 8)]


def test_projection_head_of_the_paper():
    head = ProjectionHead(1024)
    widths = [tuple(layer.weight.shape) for layer in (head.mlp[0], head.mlp[2], head.mlp[4], head.last_layer)]
    assert widths == [(2048, 1024), (2048, 2048), (256, 2048), (65536, 256)]
    assert abs(head.mlp[0].weight.std().item() - 0.02) < 0.001
    assert len(ProjectionHead(1024, 16, layers=1).mlp) == 1


def test_gain_is_fixed():
    head = ProjectionHead(8, 6, hidden_dim=8, bottleneck_dim=4)
    x = torch.randn(3, 8)
    before = head(x)
    with torch.no_grad():
        head.last_layer.weight.mul_(7)
    torch.testing.assert_close(head(x), before)
