"""What a frozen encoder knows, measured without training it: probes and collapse diagnostics.

A self-supervised loss says little about what was learned; these do. All are deterministic.

Shapes: N images, E channels of an embedding or token, H W token grid, L landmarks, K findings.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ..records import IGNORE


def patient_numbers(patients: Sequence[str]) -> Tensor:
    """Number (N,) patients from 0 in the order in which they first occur."""
    number = {patient: i for i, patient in enumerate(dict.fromkeys(patients))}
    return torch.tensor([number[patient] for patient in patients])


def landmark_retrieval(
    tokens_NEHW: Tensor, landmarks_NL2: Tensor, patients: Sequence[str], partners: int = 5, radius: float = 0.1
) -> dict[str, float]:
    """Find each landmark of one image in images of other patients by the most similar token.

    The token under a landmark is compared by cosine with every token of `partners` other images. Taking
    the same place in the other image is the answer of an encoder that knows positions only, so its score
    is returned beside the encoder's.

    Args:
        tokens_NEHW: tokens of N >= 2 images.
        landmarks_NL2: (row, col) as fractions of height and width; nan where a landmark is absent.
        patients: N patient ids; images of one patient are never compared.
        partners: images each image is compared with, the following ones in order.
        radius: a landmark counts as found when the centre of the token lies within it, as a fraction of the image;
            the same for every grid, so that encoders with other grids compare.

    Returns:
        `landmark_retrieval`: share found; `landmark_error`: mean distance as a fraction of the image;
        `landmark_same_place`: the share that position alone finds. Empty unless two patients share a landmark.
    """
    N, _, H, W = tokens_NEHW.shape
    grid_2 = torch.tensor([H, W])
    cells_NL2 = (landmarks_NL2 * grid_2).floor().nan_to_num(0).long().clamp(min=torch.zeros(2), max=grid_2 - 1).long()
    present_NL = landmarks_NL2.isfinite().all(-1)
    unit_NTE = F.normalize(tokens_NEHW.flatten(2), dim=1).transpose(1, 2)
    flat_NL = cells_NL2[..., 0] * W + cells_NL2[..., 1]
    query_NLE = unit_NTE.gather(1, flat_NL[..., None].expand(-1, -1, unit_NTE.shape[-1]))

    ids_N = patient_numbers(patients)
    found, same_place, errors = [], [], []
    own_NL2 = (cells_NL2 + 0.5) / grid_2
    for shift in range(1, min(partners, N - 1) + 1):
        best_NL = (query_NLE @ unit_NTE.roll(-shift, 0).transpose(1, 2)).argmax(-1)
        found_NL2 = (torch.stack([best_NL // W, best_NL % W], dim=-1) + 0.5) / grid_2
        others_N = ids_N != ids_N.roll(-shift, 0)
        truth_NL2, both_NL = landmarks_NL2.roll(-shift, 0), present_NL & present_NL.roll(-shift, 0) & others_N[:, None]
        errors.append((found_NL2 - truth_NL2).norm(dim=-1)[both_NL])
        found.append(errors[-1] <= radius)
        same_place.append(((own_NL2 - truth_NL2).norm(dim=-1) <= radius)[both_NL])
    if not found or not torch.cat(found).numel():
        return {}
    return {
        "landmark_retrieval": torch.cat(found).float().mean().item(),
        "landmark_error": torch.cat(errors).mean().item(),
        "landmark_same_place": torch.cat(same_place).float().mean().item(),
    }


def patch_probe(tokens_NEHW: Tensor, mask_NHW: Tensor, patients: Sequence[str], ridge: float = 1.0) -> dict[str, float]:
    """Tell tokens inside a structure from tokens outside by a linear map fitted in closed form.

    Every second patient fits it, the others test it. A token is inside when more than half of
    its labelled pixels are; tokens with more than half of their pixels unlabelled are left out.

    Args:
        tokens_NEHW: tokens of N images.
        mask_NHW: 0 outside, 1 inside, 255 unlabelled, at any resolution that the token grid divides.
        patients: N patient ids.
        ridge: weight of the squared norm of the map, on standardised channels.

    Returns:
        `patch_auc` on the patients it was not fitted on; empty when either half has tokens of one kind only.
    """
    _, _, H, W = tokens_NEHW.shape
    labelled_NHW = F.adaptive_avg_pool2d((mask_NHW != IGNORE).float()[:, None], (H, W))[:, 0]
    inside_NHW = F.adaptive_avg_pool2d((mask_NHW == 1).float()[:, None], (H, W))[:, 0]
    use_NHW, label_NHW = labelled_NHW >= 0.5, inside_NHW > 0.5 * labelled_NHW
    features_NHWE = tokens_NEHW.permute(0, 2, 3, 1).double()
    fit = patient_numbers(patients) % 2 == 0
    test = ~fit
    x_fit, y_fit = features_NHWE[fit][use_NHW[fit]], label_NHW[fit][use_NHW[fit]].double()
    x_test, y_test = features_NHWE[test][use_NHW[test]], label_NHW[test][use_NHW[test]]
    if any(y.numel() == 0 or y.min() == y.max() for y in (y_fit, y_test)):
        return {}
    mean, scale = x_fit.mean(0), x_fit.std(0).clamp_min(1e-8)
    x_fit, x_test = (x_fit - mean) / scale, (x_test - mean) / scale
    gram = x_fit.T @ x_fit + ridge * torch.eye(x_fit.shape[1], dtype=x_fit.dtype)
    direction = torch.linalg.solve(gram, x_fit.T @ (y_fit - y_fit.mean()))
    return {"patch_auc": float(roc_auc_score(y_test.numpy(), (x_test @ direction).numpy()))}


def knn(
    embeddings_NE: Tensor, labels_NK: Tensor, patients: Sequence[str], neighbours: int = 20, temperature: float = 0.07
) -> dict[str, float]:
    """Predict findings from the nearest images of other patients, weighted by exp(cosine / temperature).

    Args:
        embeddings_NE: embeddings of N images.
        labels_NK: 0 or 1, nan where unknown; what lies between is not scored.
        patients: N patient ids; an image never votes for another image of its patient.
        neighbours: images that vote, at most a tenth of all: an image does not vote for itself, so a vote of nearly all
            others would favour the wrong answer.
        temperature: of the vote (DINO's kNN evaluation uses 0.07 and 20 neighbours).

    Returns:
        `knn_auc`, the mean over findings that have both values; empty when none has.
    """
    unit_NE = F.normalize(embeddings_NE, dim=1)
    similarity_NN = unit_NE @ unit_NE.T
    ids_N = patient_numbers(patients)
    similarity_NN[ids_N[:, None] == ids_N[None, :]] = -torch.inf
    votes_Nk, nearest_Nk = similarity_NN.topk(min(neighbours, max(1, len(patients) // 10)), dim=1)
    weights_Nk = (votes_Nk / temperature).exp()
    known_NK = (labels_NK == 0) | (labels_NK == 1)
    scores_NK = (weights_Nk[..., None] * labels_NK.nan_to_num(0)[nearest_Nk]).sum(1)
    scores_NK = scores_NK / (weights_Nk[..., None] * known_NK[nearest_Nk]).sum(1).clamp_min(1e-12)
    aucs = []
    for k in range(labels_NK.shape[1]):
        truth = labels_NK[known_NK[:, k], k]
        if truth.numel() and truth.min() != truth.max():
            aucs.append(roc_auc_score(truth.numpy(), scores_NK[known_NK[:, k], k].numpy()))
    return {"knn_auc": float(sum(aucs) / len(aucs))} if aucs else {}


def spread(embeddings_NE: Tensor) -> dict[str, float]:
    """Say whether embeddings have collapsed to a point or to few directions.

    Returns:
        `embedding_spread`: mean standard deviation of unit embeddings times sqrt(E), 0 at a point and about 1 when
        uniform on the sphere; `embedding_rank`: exponential of the entropy of the normalised singular values. Both are
        nan of a single embedding.
    """
    if len(embeddings_NE) < 2:
        return {"embedding_spread": math.nan, "embedding_rank": math.nan}
    unit_NE = F.normalize(embeddings_NE.double(), dim=1)
    deviation = unit_NE.std(0).mean() * unit_NE.shape[1] ** 0.5
    values = torch.linalg.svdvals(unit_NE - unit_NE.mean(0))
    share = values / values.sum().clamp_min(1e-12)
    entropy = -(share * share.clamp_min(1e-12).log()).sum()
    return {"embedding_spread": deviation.item(), "embedding_rank": entropy.exp().item()}
