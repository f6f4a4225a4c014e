"""Evaluation of more than a crop."""

from itertools import pairwise

import pytest
import torch
from recipe_parts import parsed

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork
from bundles.ct_diagnosis_classification.scripts.windows import AverageWindows

BUNDLE = "ct_diagnosis_classification"


def seen(volume, window, overlap):
    """Which windows the network sees, by their smallest voxel, and how often it sees each voxel."""
    counts = torch.zeros_like(volume)

    def network(x):
        assert x.shape[2:] == torch.Size(window)
        counts.view(-1)[x.long().flatten()] += 1
        return x.flatten(1).amin(1, keepdim=True)

    mean = AverageWindows(window, overlap)(volume, network)
    return mean, counts


def test_every_voxel_is_seen_and_the_mean_is_that_of_the_windows():
    volume = torch.arange(6 * 5 * 4).float().reshape(1, 1, 6, 5, 4)
    mean, counts = seen(volume, (4, 5, 2), overlap=0.0)
    # windows begin at 0 and 2 along D, at 0 along H, at 0 and 2 along W
    assert mean.tolist() == [[(0 + 2 + 40 + 42) / 4]]
    assert counts.min() == 1 and counts[0, 0, 2:4].eq(2).all() and counts[0, 0, 0].eq(1).all()


@pytest.mark.parametrize(("overlap", "count"), [(0.0, 2), (0.4, 3), (0.5, 3), (0.75, 5)])
def test_neighbours_share_at_least_the_overlap(overlap, count):
    starts = AverageWindows((4, 4, 4), overlap)._starts(8, 4)
    assert len(starts) == count and starts[0] == 0 and starts[-1] == 4
    assert max(after - before for before, after in pairwise(starts)) <= 4 * (1 - overlap)


def test_a_window_as_large_as_the_volume_is_the_network_itself():
    torch.manual_seed(0)
    network = DiagnosisNetwork(build_backbone("r3d_18", (16, 32, 32), width=8), 3).eval()
    volume = torch.randn(2, 1, 16, 32, 32)
    with torch.no_grad():
        assert torch.equal(AverageWindows((16, 32, 32))(volume, network), network(volume))


def test_what_windows_cannot_do_is_refused():
    with pytest.raises(ValueError, match="enlarge evaluation_size"):
        AverageWindows((4, 4, 4))(torch.zeros(1, 1, 4, 4, 3), torch.nn.Identity())
    with pytest.raises(ValueError, match=r"overlap is 1"):
        AverageWindows((4, 4, 4), 1)


def test_the_overlay_shows_the_whole_frame_to_both_splits():
    parser = parsed(BUNDLE, "evaluate", "sliding_window")
    assert parser.get_parsed_content("evaluation_size") == [120, 240, 240] == parser.get_parsed_content("frame")
    assert parser.get_parsed_content("validate#inferer").window == (96, 192, 192)
    for dataset in ("validate#dataset", "choose_dataset"):
        assert parser[f"{dataset}#crop"] == "@evaluation_size"
    assert parsed(BUNDLE).get_parsed_content("evaluation_size") == [96, 192, 192]


@pytest.mark.parametrize("architecture", ["r3d_18", "mvit_v2_s", "swin3d_t"])
def test_every_backbone_takes_more_than_its_crop(architecture):
    network = DiagnosisNetwork(build_backbone(architecture, (16, 32, 32)), 3).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 1, 32, 48, 64)).isfinite().all()
