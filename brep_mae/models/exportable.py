"""Encoders as functions of plain tensors, without batches and masks: what other runtimes can run.

The numbers are those of `Backbone`, for one solid or for images of one size, of which everything is seen.
"""

from typing import Any

import torch
from torch import Tensor, nn

from brep_mae.models.backbone import Backbone
from brep_mae.models.blocks import MOST_AT_ONCE
from brep_mae.models.message_encoder import MessageEncoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.tokens.faces import FaceTokens
from brep_mae.tokens.invariants import InvariantTokens
from brep_mae.tokens.patches import PatchTokens, standardised


class ImageEncoder(nn.Module):
    """image (B, 3, H, W) in [0, 1] -> patch (B, P, D), whole (B, D)."""

    inputs, outputs = ("image",), ("patch", "whole")

    def __init__(self, tokens: PatchTokens, encoder: TransformerEncoder) -> None:
        super().__init__()
        self.tokens, self.class_token, self.stack = tokens, encoder.class_token, encoder.stack

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.tokens.embed(standardised(image)) + self.tokens.position
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        patch = self.stack.layers(x, None, every=True)[:, 1:]
        return patch, patch.mean(1)

    def example(self) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        """Inputs, and which of their axes may have any length."""
        height, width = self.tokens.embed.img_size  # type: ignore[misc]
        return (torch.rand(2, 3, height, width),), {"image": {0: torch.export.Dim("images")}}


class FaceEncoder(nn.Module):
    """face (F, ...) and arc (A, ...) as the tokens embed them, arc_index (2, A) into the faces of one solid -> faces
    (F, D), solid (3 D,). A transformer takes up to MOST_AT_ONCE - 1 faces."""

    inputs, outputs = ("face", "arc", "arc_index"), ("faces", "solid")

    def __init__(self, tokens: FaceTokens | InvariantTokens, encoder: TransformerEncoder | MessageEncoder) -> None:
        super().__init__()
        self.embed, self.embed_arc, self.encoder = tokens.embed, tokens.embed_arc, encoder

    def forward(self, face: Tensor, arc: Tensor, arc_index: Tensor) -> tuple[Tensor, Tensor]:
        x, arc = self.embed(face), self.embed_arc(arc)
        if isinstance(self.encoder, MessageEncoder):
            faces = self.encoder.every(x, arc, arc_index)
        else:
            x = torch.cat([self.encoder.class_token, x[None]], 1)
            faces = self.encoder.stack.layers(x, None, arc_index + 1, arc, every=True)[0, 1:]
        return faces, torch.cat([faces.mean(0), faces.amin(0), faces.amax(0)])

    def example(self) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        """Inputs, and which of their axes may have any length."""
        widths: list[Any] = [self.embed[0], self.embed_arc[0]]
        index = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        face, arc = torch.rand(4, widths[0].in_features), torch.rand(6, widths[1].in_features)
        most = None if isinstance(self.encoder, MessageEncoder) else MOST_AT_ONCE - 1
        faces, arcs = torch.export.Dim("faces", min=2, max=most), torch.export.Dim("arcs", min=2)
        return (face, arc, index), {"face": {0: faces}, "arc": {0: arcs}, "arc_index": {1: arcs}}


def exportable(backbone: nn.Module) -> ImageEncoder | FaceEncoder | None:
    """The encoder as such a function, in evaluation mode; None where it reads more than one kind of content."""
    if isinstance(backbone, Backbone):
        tokens, encoder = backbone.tokens, backbone.encoder
        if isinstance(tokens, PatchTokens) and isinstance(encoder, TransformerEncoder):
            return ImageEncoder(tokens, encoder).eval()
        if isinstance(tokens, FaceTokens | InvariantTokens) and isinstance(
            encoder, TransformerEncoder | MessageEncoder
        ):
            return FaceEncoder(tokens, encoder).eval()
    return None
