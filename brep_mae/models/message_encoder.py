"""An encoder that passes messages along arcs and nothing else: for the small graphs and few labels of single solids
better than attention over all faces."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.utils import scatter

from brep_mae.masking.mask import Mask
from brep_mae.models.blocks import NORM, Layered
from brep_mae.models.encoder import Fill, Latent, TokenEncoder
from brep_mae.tokens.tokens import Tokens

USUAL_DEGREE = 5.0
"""Arcs of a face: brings a sum to the size of a mean."""


class Layer(nn.Module):
    """Messages of both ends and the arc between them, gathered as sum, mean and maximum (Corso et al. 2020,
    arXiv:2004.05718).

    Shapes: x (R, dim), arcs (A, dim), index (2, A) into the rows -> (R, dim)
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.other, self.own = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim)
        self.arc = nn.Linear(dim, dim, bias=False)
        self.out = nn.Sequential(nn.Linear(4 * dim, dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(dim, dim))
        self.norm = NORM(dim)

    def forward(self, x: Tensor, arcs: Tensor, index: Tensor) -> Tensor:
        i, j = index
        message = F.gelu(self.other(x)[j] + self.own(x)[i] + self.arc(arcs))
        total, mean, most = (scatter(message, i, dim_size=x.shape[0], reduce=how) for how in ("sum", "mean", "max"))
        return self.norm(x + self.out(torch.cat([x, total / USUAL_DEGREE, mean, most], 1)))


class MessageEncoder(TokenEncoder, Layered):
    """Hidden tokens stay as mask tokens; the code of a token keeps what every layer made of it (Xu et al. 2018,
    arXiv:1806.03536). The first row of a sample's latent, where other encoders have a class token, is the mean.

    Args:
        dim, depth: width, and number of layers.
        dropout: share of a layer's inner units.
        fill: what stands in for hidden tokens.

    Shapes:
        Tokens (B, N, dim) with arcs, Mask (B, N) -> Latent (B, 1 + N, (depth + 1) * dim)
    """

    residual = False

    def __init__(self, dim: int, depth: int, dropout: float, fill: Fill) -> None:
        super().__init__()
        self.fill = fill
        self.layers = nn.ModuleList(Layer(dim, dropout) for _ in range(depth))
        self.dim = self.read_dim = (depth + 1) * dim

    def top(self) -> list[nn.Module]:
        return [self.layers[-1]]

    def read(self, tokens: Tokens) -> Latent:
        latent: Latent = self(tokens)
        return latent

    def every(self, x: Tensor, arcs: Tensor, index: Tensor) -> Tensor:
        """What every layer makes of the rows x (R, dim), side by side: (R, (depth + 1) dim)."""
        states = [x]
        for layer in self.layers:
            states.append(self.through(layer, states[-1], arcs, index))
        return torch.cat(states, 1)

    def forward(self, tokens: Tokens, mask: Mask | None = None, final_norm: bool = True) -> Latent:
        if not final_norm:
            raise ValueError("a message encoder has no residual stream before a last norm")
        if mask is not None:
            tokens = self.fill(tokens, mask)
        if tokens.arcs is None:
            raise ValueError("messages need tokens with arcs")
        # Padding takes no part: beside one solid of thousands of faces there would be little else.
        place = tokens.valid.flatten().cumsum(0) - 1
        x = self.every(tokens.x[tokens.valid], tokens.arcs.x, place[tokens.arcs.index])
        code = x.new_zeros(*tokens.valid.shape, x.shape[1])
        code[tokens.valid] = x
        mean = code.sum(1, keepdim=True) / tokens.valid.sum(1)[:, None, None]
        valid = torch.cat([tokens.valid.new_ones(len(code), 1), tokens.valid], 1)
        ids = torch.arange(code.shape[1], device=x.device).expand(code.shape[:2])
        return Latent(torch.cat([mean, code], 1), valid, ids)
