"""The figure says who sees what of an item, and what the experts say of it."""

import numpy as np
import pytest
import torch
from canvas import faults
from torch import nn

from bundles.cxr_leader.scripts.log_experts import LogExperts
from bundles.cxr_leader.scripts.method import LeADER
from bundles.cxr_leader.scripts.views import RegionView
from common.images.patches import WHOLE
from common.reporting import views_figure
from common.teachers import CachedExpert, NetworkExpert
from common.teachers.embedding_table import EmbeddingTable
from common.views import AugmentedCrop

PATCH = (0.25, 0.5, 0.75, 1.0)
ROWS = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)


class Student(nn.Module):
    embed_dim = 4

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(1, 4)


def handler(cached):
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    table = EmbeddingTable(np.array(["a.png"] * 2), np.array([WHOLE, PATCH]), ROWS)
    experts = {
        "disease_expert": CachedExpert([table], "table") if cached else NetworkExpert(network, 16),
        "anatomy_expert": NetworkExpert(network, 16),
    }
    heads = {"disease_head": nn.Linear(4, 2 if cached else 4), "anatomy_head": nn.Linear(4, 4)}
    view = RegionView(AugmentedCrop(16, (0.9, 1.0)))
    method = LeADER(Student(), view, nn.MSELoss(), **experts, **heads)
    return LogExperts(method, dataset=None, view=view, tracking=None)


@pytest.fixture
def batch():
    edges = torch.tensor([WHOLE, PATCH], dtype=torch.float64)
    view = RegionView(AugmentedCrop(16, (0.9, 1.0)))
    drawn = [view.sample(torch.Generator().manual_seed(seed), (box * 64).float()) for seed, box in enumerate(edges)]
    rows_HW = torch.arange(64.0)[:, None].expand(64, 64) / 64
    return {
        "image": rows_HW.expand(2, 1, 64, 64),
        "patch": edges,
        "source": ["/x/a.png"] * 2,
        "view": {name: torch.stack([params[name] for params in drawn]) for name in drawn[0]},
    }


def test_an_expert_asked_beforehand_saw_the_region_and_one_run_along_the_student_s_image(batch):
    outlines, views, notes = handler(cached=True).shown(batch)
    assert outlines["region"][1].tolist() == [[16, 32], [16, 64], [48, 64], [48, 32]]
    assert views["region"][1, 0, :, 0].tolist() == pytest.approx(
        ((torch.arange(16) * 2 + 16.5) / 64).tolist(), abs=1e-3
    )
    assert notes["region"][1].split("\n") == ["disease expert", "disease: cosine to the first 0.60"]
    assert notes["view"][0].split("\n") == ["student, anatomy expert", "anatomy: cosine to the first 1.00"]
    assert faults(views_figure(batch["image"], outlines, views, notes)) == []


def test_without_cached_experts_all_see_one_image(batch):
    outlines, views, notes = handler(cached=False).shown(batch)
    assert list(outlines) == list(views) == ["view"]
    assert notes["view"][0].startswith("student, disease expert, anatomy expert\n")
    assert faults(views_figure(batch["image"], outlines, views, notes)) == []
