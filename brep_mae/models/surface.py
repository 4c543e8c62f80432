"""The implicit/explicit surface head: a face's code, asked anywhere in its parameter box."""

import torch
from torch import Tensor, nn


class SurfaceHead(nn.Module):
    """Rasterises a face from its code: position (explicit) and signed trimming distance (implicit).

    Jones et al. 2023, arXiv:2210.10807, section 3.2: a deep MLP on [uv, code], the input appended again at every
    layer, weight normalisation, no output activation.

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
            nn.utils.parametrizations.weight_norm(nn.Linear(w + code_dim + 2, hidden)) for w in widths[:-1]
        )
        self.out = nn.Linear(hidden + code_dim + 2, 4)

    def forward(self, code: Tensor, uv: Tensor) -> Tensor:
        query = torch.cat([uv, code[:, None].expand(-1, uv.shape[1], -1)], -1)
        x = query[..., :0]
        for layer in self.layers:
            x = layer(torch.cat([x, query], -1)).relu()
        return self.out(torch.cat([x, query], -1))
