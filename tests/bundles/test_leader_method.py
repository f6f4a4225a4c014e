"""LeADER's step by hand, what reaches whom, and what is refused before the first step."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bundles.cxr_leader.scripts.heads import ExpertHead
from bundles.cxr_leader.scripts.method import LeADER
from bundles.cxr_leader.scripts.views import RegionView
from common.engines import parameter_groups
from common.losses import EmbeddingMSE
from common.networks import ProjectionHead
from common.teachers import Expert, NetworkExpert
from common.views import AugmentedCrop, crop_resize

WIDTH, SIDE = 4, 8
DISEASE, ANATOMY = 6, 9


class Mean(nn.Module):
    """An encoder of a linear map and batch norm, so that tests can follow every number."""

    embed_dim = WIDTH

    def __init__(self, width: int = WIDTH, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.map = nn.Linear(SIDE * SIDE, width)
        self.norm = nn.BatchNorm1d(width)

    def embed(self, images):
        return self.norm(self.map(images.flatten(1)))

    def forward(self, images):
        return self.embed(images)


class Counting(NetworkExpert):
    """Remembers what it was shown."""

    def embed(self, images, batch):
        self.seen = images
        return super().embed(images, batch)


class Never(Expert):
    """An expert that must not be asked."""

    embed_dim = ANATOMY

    def embed(self, images, batch):
        raise AssertionError("an expert of weight 0 was run")

    def check(self, items):
        raise AssertionError("an expert of weight 0 was checked")


def make(**options) -> LeADER:
    torch.manual_seed(1)
    defaults = {
        "encoder": Mean(),
        "view": RegionView(AugmentedCrop(SIDE, area=(0.8, 1.0), flip=0.5)),
        "loss": EmbeddingMSE(),
        "disease_expert": Counting(Mean(DISEASE, 2), SIDE),
        "disease_head": ExpertHead(WIDTH, DISEASE, 5),
        "anatomy_expert": Counting(Mean(ANATOMY, 3), SIDE),
        "anatomy_head": ExpertHead(WIDTH, ANATOMY, 5),
    }
    return LeADER(**(defaults | options))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(4)
    view = make().view
    regions = [
        torch.tensor([0.0, 0.0, 16.0, 16.0]),
        torch.tensor([2.0, 4.0, 10.0, 12.0]),
        torch.tensor([8.0, 8.0, 16.0, 16.0]),
    ]
    draws = [view.sample(generator, region) for region in regions]
    return {
        "image": torch.randint(0, 256, (3, 1, 16, 16), generator=generator, dtype=torch.uint8),
        "view": {key: torch.stack([draw[key] for draw in draws]) for key in draws[0]},
        "source": ["a", "b", "c"],
        "patch": torch.stack(regions).double() / 16,
        "weight": torch.tensor([1.0, 0.5, 2.0]),
    }


def test_the_step_is_the_definition(batch):
    method = make(disease_weight=0.5, anatomy_weight=2.0)
    losses = method(batch)
    params = batch["view"]
    seen = crop_resize(batch["image"], params["view_box"], SIDE, params["view_flip"])
    embedding = method.encoder.embed(seen)
    expected = {}
    for name, (network, seed) in {"disease": (DISEASE, 2), "anatomy": (ANATOMY, 3)}.items():
        with torch.no_grad():
            target = F.normalize(Mean(network, seed).eval().embed(seen), dim=1)
        head = method.heads[name]
        hidden = F.gelu(embedding @ head[0].weight.T + head[0].bias)
        predicted = F.normalize(hidden @ head[2].weight.T + head[2].bias, dim=1)
        expected[name] = (batch["weight"] * (2 - 2 * (predicted * target).sum(1)) / network).mean()
    torch.testing.assert_close(losses["disease"], expected["disease"])
    torch.testing.assert_close(losses["anatomy"], expected["anatomy"])
    torch.testing.assert_close(losses["loss"], 0.5 * expected["disease"] + 2.0 * expected["anatomy"])


def test_experts_see_the_student_s_very_tensor(batch):
    method = make()
    shown = []
    embed = method.encoder.embed
    method.encoder.embed = lambda images: (shown.append(images), embed(images))[1]
    method(batch)
    assert method.experts["anatomy"].seen is shown[0] and method.experts["disease"].seen is shown[0]


def test_no_gradient_mode_or_weight_of_an_expert_is_the_student_s(batch):
    method = make().train()
    running = [expert.network.norm.running_mean.clone() for expert in method.experts.values()]
    method(batch)["loss"].backward()
    for expert, before in zip(method.experts.values(), running, strict=True):
        assert all(parameter.grad is None for parameter in expert.network.parameters())
        assert not expert.network.training and torch.equal(expert.network.norm.running_mean, before)
    # batch norm takes the mean away, and a shift before it with that
    still = {"encoder.map.bias"}
    assert all((p.grad.abs().max() > 1e-5) != (name in still) for name, p in method.named_parameters())
    ours = {id(p) for group in parameter_groups(method) for p in group["params"]}
    assert not ours & {id(p) for expert in method.experts.values() for p in expert.network.parameters()}
    assert {name.split(".")[0] for name in method.state_dict()} == {"encoder", "heads"}


@pytest.mark.parametrize("given", [{"anatomy_expert": Never()}, {"anatomy_expert": None, "anatomy_head": None}])
def test_an_expert_of_weight_zero_is_not_run_and_has_no_head(batch, given):
    method = make(anatomy_weight=0.0, **given)
    losses = method(batch)
    assert set(losses) == {"loss", "disease"}
    torch.testing.assert_close(losses["loss"], losses["disease"])
    assert set(method.heads) == {"disease"}
    method.check([])


def test_stage_two_keeps_encoder_and_disease_head_by_name():
    before, after = make(anatomy_weight=0.0), make()
    names = {name for name in after.state_dict() if name.startswith(("encoder.", "heads.disease."))}
    assert names == set(before.state_dict())
    assert {name.split(".")[1] for name in set(after.state_dict()) - names} == {"anatomy"}


def test_only_weight_normalised_heads_have_a_last_layer_to_freeze():
    assert make().last_layers == []
    head = ProjectionHead(WIDTH, DISEASE, 5, 3, layers=2)
    assert [id(p) for p in make(disease_head=head).last_layers] == [id(head.last_layer.weight)]


def test_the_paper_s_head_has_two_layers_with_gelu_between():
    head = ExpertHead(3, 5, hidden_dim=7)
    x = torch.randn(2, 3)
    hidden = x @ head[0].weight.T + head[0].bias
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    torch.testing.assert_close(head(x), hidden @ head[2].weight.T + head[2].bias)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"disease_head": ExpertHead(WIDTH, DISEASE + 1, 5)}, r"disease_head predicts 7 numbers.*gives 6.*out_dim"),
        ({"anatomy_expert": None}, "anatomy_weight is 1.0.*missing"),
        ({"disease_weight": 0.0, "anatomy_weight": 0.0}, "both 0"),
        ({"disease_weight": -1.0}, "disease_weight is -1.0"),
    ],
)
def test_what_cannot_be_learned_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        make(**options)


def test_every_expert_is_checked_before_the_first_step():
    method = make()
    method.check(iter([("a", (0, 0, 1, 1))]))
    method.experts["anatomy"].network.train()
    with pytest.raises(RuntimeError, match="training mode"):
        method.check([])


def test_the_view_is_cut_inside_its_region():
    view = RegionView(AugmentedCrop(SIDE, area=(0.5, 1.0)))
    region = torch.tensor([10.0, 20.0, 50.0, 40.0])
    for seed in range(20):
        params = view.sample(torch.Generator().manual_seed(seed), region)
        top, left, bottom, right = params["view_box"].tolist()
        assert 10 <= top < bottom <= 50 and 20 <= left < right <= 40
        assert view.boxes(params)["view"] is params["view_box"]
