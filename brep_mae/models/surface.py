"""The implicit/explicit surface head: a face's code, asked anywhere in its parameter box."""

import math

import torch
from torch import Tensor, nn

FREQUENCIES = 4
PLACE_DIM = 2 + 4 * FREQUENCIES


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
        query = torch.cat([fourier(uv), code[:, None].expand(-1, uv.shape[1], -1)], -1)
        x = query[..., :0]
        for layer in self.layers:
            x = layer(torch.cat([x, query], -1)).relu()
        return self.out(torch.cat([x, query], -1))
