"""The head that predicts an expert's embedding."""

from torch import nn


class ExpertHead(nn.Sequential):
    """Two linear layers with GELU between: E -> hidden -> K; the supplement's head (methods D1).

    The released code's is `common.networks.ProjectionHead`; the loss gives either's output unit length. Weights are
    drawn as there, from a normal distribution of standard deviation 0.02; biases are 0.

    Args:
        dim: E, length of the encoder's embedding.
        out_dim: K, length of the expert's embedding.
        hidden_dim: width of the hidden layer.
    """

    def __init__(self, dim: int, out_dim: int, hidden_dim: int = 2048):
        first, last = nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, out_dim)
        super().__init__(first, nn.GELU(), last)
        for layer in (first, last):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
