import json
import math
import types

import pytest
import torch

from common.evaluation import probes, save_metrics


def each(tokens: torch.Tensor) -> list[str]:
    """Every image of another patient."""
    return [str(i) for i in range(len(tokens))]


def test_images_of_one_patient_are_not_compared():
    torch.manual_seed(0)
    tokens, landmarks = torch.randn(2, 8, 6, 6).repeat(2, 1, 1, 1), torch.rand(2, 3, 2).repeat(2, 1, 1)
    assert probes.landmark_retrieval(tokens, landmarks, ["a"] * 4) == {}
    same_picture = probes.landmark_retrieval(tokens, landmarks, ["a", "b", "c", "d"], partners=2)
    other_patient = probes.landmark_retrieval(tokens, landmarks, ["a", "b", "a", "b"], partners=2)
    assert other_patient["landmark_retrieval"] < same_picture["landmark_retrieval"]


def test_patch_probe_is_fitted_and_tested_on_other_patients():
    torch.manual_seed(0)
    mask = (torch.rand(8, 4, 4) > 0.5).to(torch.uint8)
    tokens = torch.randn(8, 6, 4, 4)
    tokens[4:, 2] += 20 * mask[4:]  # only the second patient's tokens say anything
    tokens[:4, 2] = 0.0  # the first one's, which fit the map, do not vary there
    auc = probes.patch_probe(tokens, mask, ["a"] * 4 + ["b"] * 4)["patch_auc"]
    assert auc < 0.75


def test_landmark_retrieval_finds_landmarks_that_have_their_own_code():
    torch.manual_seed(0)
    tokens = 0.01 * torch.randn(4, 16, 8, 8)
    landmarks = torch.rand(4, 3, 2)
    landmarks[..., 0] = (2 * torch.arange(3) + landmarks[..., 0]) / 8  # never two in one token
    for n in range(4):
        for index, (row, col) in enumerate(landmarks[n]):
            tokens[n, index, int(row * 8), int(col * 8)] += 10
    result = probes.landmark_retrieval(tokens, landmarks, each(tokens))
    assert result["landmark_retrieval"] == 1.0
    assert result["landmark_error"] < math.hypot(1, 1) / 8
    assert result["landmark_same_place"] < 0.5


def test_landmark_retrieval_of_position_codes_equals_the_same_place_score():
    position = torch.nn.functional.one_hot(torch.arange(64), 64).float().T.view(1, 64, 8, 8).expand(5, -1, -1, -1)
    result = probes.landmark_retrieval(position, torch.rand(5, 4, 2), each(position))
    assert result["landmark_retrieval"] == result["landmark_same_place"]


def test_row_and_column_of_a_landmark_are_not_swapped():
    tokens = torch.zeros(2, 2, 4, 8)
    tokens[:, 1] = 1.0
    tokens[:, :, 3, 1] = torch.tensor([1.0, 0.0])
    landmarks = torch.tensor([3.5 / 4, 1.5 / 8]).expand(2, 1, 2)
    result = probes.landmark_retrieval(tokens, landmarks, each(tokens))
    assert result["landmark_error"] == pytest.approx(0.0, abs=1e-6)


def test_absent_landmarks_do_not_count():
    tokens = torch.randn(3, 4, 4, 4)
    assert probes.landmark_retrieval(tokens, torch.full((3, 2, 2), float("nan")), each(tokens)) == {}


def test_patch_probe_separates_what_a_channel_encodes_and_not_noise():
    torch.manual_seed(0)
    mask = (torch.rand(12, 4, 4) > 0.5).to(torch.uint8)
    tokens = torch.randn(12, 6, 4, 4)
    assert 0.3 < probes.patch_probe(tokens, mask, each(tokens))["patch_auc"] < 0.7
    tokens[:, 2] += 20 * mask
    assert probes.patch_probe(tokens, mask, each(tokens))["patch_auc"] == pytest.approx(1.0)


def test_patch_probe_ignores_unlabelled_pixels():
    torch.manual_seed(0)
    mask = (torch.rand(12, 8, 8) > 0.5).to(torch.uint8).repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :8, :8]
    tokens = torch.randn(12, 6, 4, 4)
    tokens[:, 2] += 20 * mask[:, ::2, ::2]
    mask[:, :4] = probes.IGNORE
    tokens[:, 2, :2] = 1000.0  # nonsense under the ignored half changes nothing
    assert probes.patch_probe(tokens, mask, each(tokens))["patch_auc"] == pytest.approx(1.0)
    assert probes.patch_probe(tokens, torch.zeros_like(mask), each(tokens)) == {}


def test_knn_votes_only_across_patients():
    embeddings = torch.eye(2).repeat_interleave(4, 0) + 0.01 * torch.randn(8, 2)
    labels = torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0])[:, None]
    assert probes.knn(embeddings, labels, [str(i) for i in range(8)], neighbours=3)["knn_auc"] == 1.0
    together = ["a"] * 4 + ["b"] * 4  # neighbours of the own patient are barred, so every vote is wrong
    assert probes.knn(embeddings, labels, together, neighbours=3)["knn_auc"] == 0.0


def test_knn_of_noise_is_near_chance_in_a_small_set():
    generator = torch.Generator().manual_seed(0)
    aucs = []
    for _ in range(20):
        embeddings = torch.randn(40, 16, generator=generator)
        labels = torch.arange(40).remainder(2).float()[:, None]
        aucs.append(probes.knn(embeddings, labels, [str(i) for i in range(40)])["knn_auc"])
    assert 0.42 < sum(aucs) / len(aucs) < 0.55


def test_knn_scores_no_smoothed_label():
    embeddings, labels = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]]), torch.tensor([[1.0], [1], [0], [0]])
    smoothed = torch.cat([labels, torch.full((1, 1), 0.7)])
    more = torch.cat([embeddings, torch.tensor([[-1.0, -1.0]])])  # nobody's neighbour
    assert probes.knn(more, smoothed, list("abcde"), neighbours=1)["knn_auc"] == 1.0


def test_knn_skips_findings_with_one_value():
    labels = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    embeddings = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    assert probes.knn(embeddings, labels, list("abcd"), neighbours=1)["knn_auc"] == 1.0
    assert probes.knn(embeddings, labels[:, 1:], list("abcd")) == {}


def test_spread_of_a_point_a_line_and_a_sphere():
    torch.manual_seed(0)
    point = torch.ones(50, 8) + 1e-6 * torch.randn(50, 8)
    line = torch.randn(50, 1) * torch.ones(1, 8)
    sphere = torch.randn(2000, 8)
    assert probes.spread(point)["embedding_spread"] < 1e-4
    assert probes.spread(line)["embedding_rank"] == pytest.approx(1.0, abs=1e-3)
    assert probes.spread(sphere)["embedding_spread"] == pytest.approx(1.0, abs=0.03)
    assert probes.spread(sphere)["embedding_rank"] > 7.5


def test_numbers_are_printed_short_with_their_place_and_kept_whole(tmp_path, capsys):
    tracking = types.SimpleNamespace(where_to_look=lambda: ["mlflow ui", "http://here/#/runs/7"])
    path = tmp_path / "run" / "probe.json"
    save_metrics({"b": 0.123456789012345, "a": float("nan"), "c": 1234.5678}, str(path), tracking)
    assert capsys.readouterr().out.splitlines() == [
        "a: undefined", "b: 0.1235", "c: 1235", f"Written to {path}", "  mlflow ui", "  http://here/#/runs/7"
    ]  # fmt: skip
    assert json.loads(path.read_text()) == {"a": None, "b": 0.123456789012345, "c": 1234.5678}


def test_spread_of_one_image_is_undefined_without_a_warning(recwarn):
    assert all(math.isnan(value) for value in probes.spread(torch.randn(1, 8)).values())
    assert not recwarn.list
