"""The implicit/explicit surface head: a face's code, asked anywhere in its parameter box."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

FREQUENCIES = 4
PLACE_DIM = 2 + 4 * FREQUENCIES

MOST_PLACES = 1 << 14
"""Places of faces that are asked at a time. Tables of more are so large that their memory goes back to the system and
is taken anew at each layer, which costs as much time as the arithmetic."""
MOST_KEPT = 1 << 18
"""Places of which all layers' outputs are kept for the way back; those of more are computed again there."""


def fourier(uv: Tensor) -> Tensor:
    """(u, v), and sine and cosine of pi, 2 pi, 4 pi, ... times each: a network of (u, v) alone learns smooth functions
    long before the kink that a signed distance has in the middle of a face (Tancik et al. 2020, arXiv:2006.10739).

    Shapes: (..., 2) -> (..., PLACE_DIM)
    """
    angles = (uv[..., None] * (math.pi * 2.0 ** torch.arange(FREQUENCIES, device=uv.device))).flatten(-2)
    return torch.cat([uv, angles.sin(), angles.cos()], -1)


class SurfaceHead(nn.Module):
    """Rasterises a face from its code: position (explicit) and signed trimming distance (implicit).

    Jones et al. 2023, arXiv:2210.10807, section 3.2: a deep MLP on [uv, code], the input appended again at every
    layer, weight normalisation, no output activation. Differs from the paper: uv comes with its Fourier features.

    Args:
        code_dim: width of a code.
        hidden: width of the layers (1024 in the paper).
        depth: number of hidden layers (4 in the paper).

    Shapes:
        code (M, code_dim), uv (M, S, 2) -> (M, S, 4): point in the face's own frame, signed distance
    """

    def __init__(self, code_dim: int, hidden: int, depth: int) -> None:
        super().__init__()
        widths = [0] + [hidden] * depth
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Linear(w + code_dim + PLACE_DIM, hidden)) for w in widths[:-1]
        )
        self.out = nn.Linear(hidden + code_dim + PLACE_DIM, 4)

    def forward(self, code: Tensor, uv: Tensor) -> Tensor:
        weights = [(layer.weight, layer.bias) for layer in (*self.layers, self.out)]
        faces = max(MOST_PLACES // uv.shape[1], 1)
        pieces = zip(code.split(faces), uv.split(faces), strict=True)
        if torch.is_grad_enabled() and len(code) * uv.shape[1] > MOST_KEPT:
            return torch.cat([checkpoint(_rasterised, *piece, weights, use_reentrant=False) for piece in pieces])
        return torch.cat([_rasterised(*piece, weights) for piece in pieces])


def _rasterised(code: Tensor, uv: Tensor, weights: list[tuple[Tensor, Tensor]]) -> Tensor:
    """SurfaceHead with these weights and biases of its layers. What the code adds to a layer is the same everywhere on
    a face, and is computed once."""
    place = fourier(uv)
    x = place[..., :0]
    for weight, bias in weights:
        there, of_code = weight.split([weight.shape[1] - code.shape[1], code.shape[1]], 1)
        x = F.linear(torch.cat([x.relu_(), place], -1), there).add_(F.linear(code, of_code, bias)[:, None])
    return x
