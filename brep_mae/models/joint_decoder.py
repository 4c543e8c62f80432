"""Decoders that differ from MAE's in what they start from: a mask token per kind, or a class token of their own."""

import torch
from torch import Tensor, nn

from brep_mae.models.decoder import Decoder
from brep_mae.settings import SizeParams
from brep_mae.tokens.tokens import KINDS, Tokens


class KindDecoder(Decoder):
    """One decoder for several kinds, each with a mask token of its own (M3AE, arXiv:2205.14204, section 3).

    Args: as Decoder. Type vectors are the business of `where`.
    """

    def __init__(self, encoder_dim: int, size: SizeParams, where: nn.Module, arcs: bool) -> None:
        super().__init__(encoder_dim, size, where, arcs)
        self.mask_token = nn.Parameter(torch.zeros(1, len(KINDS), size.dim))
        nn.init.normal_(self.mask_token, std=0.02)

    def mask_tokens(self, tokens: Tokens) -> Tensor:
        return self.mask_token[:, tokens.kind]


class OwnClassDecoder(Decoder):
    """A decoder that drops the encoder's class token and starts from its own, zero at first (arXiv:2205.09113, code).

    Args: as Decoder.
    """

    def __init__(self, encoder_dim: int, size: SizeParams, where: nn.Module, arcs: bool) -> None:
        super().__init__(encoder_dim, size, where, arcs)
        self.class_token = nn.Parameter(torch.zeros(1, 1, size.dim))

    def start(self, class_token: Tensor) -> Tensor:
        return self.class_token.expand_as(class_token)
