"""Embeddings in a plane."""

import torch
from sklearn.manifold import TSNE
from torch import Tensor


def plane(vectors_PE: Tensor, perplexity: float, learning_rate: float | None, seed: int) -> Tensor:
    """t-SNE of embeddings, divided by its range: (P, 2) in [0, 1].

    Args:
        vectors_PE: embeddings.
        perplexity: at most a third of the number of embeddings is taken.
        learning_rate: None takes scikit-learn's, which grows with the number of embeddings.
        seed: of the map.
    """
    perplexity = min(perplexity, (len(vectors_PE) - 1) / 3)
    rate = "auto" if learning_rate is None else learning_rate
    tsne = TSNE(2, perplexity=perplexity, learning_rate=rate, init="pca", random_state=seed)
    places_P2 = torch.from_numpy(tsne.fit_transform(vectors_PE.numpy()))
    low_2, high_2 = places_P2.amin(0), places_P2.amax(0)
    return (places_P2 - low_2) / (high_2 - low_2).clamp_min(1e-12)
