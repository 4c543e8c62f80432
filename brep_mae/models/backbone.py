"""What stays after pretraining: tokens + encoder, answering with one vector per face and one per solid."""

from typing import Any

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch, Frames
from brep_mae.models.encoder import TokenEncoder
from brep_mae.models.extractor import SPREADS, FeatureExtractor, Features, gather
from brep_mae.tokens.tokens import FACE


def pool_patches(patches: Tensor, frames: Frames, n_faces: Tensor) -> Tensor:
    """Mean of the patches in which a face appears, weighted by its pixels there; zero for a face never seen.

    Shapes:
        patches (B, T, P, D), frames.face (B, T, H, W), n_faces (B,) -> (F, D)
    """
    solids, views, length, dim = patches.shape
    side = int(length**0.5)
    patch_of = torch.arange(length, device=patches.device).view(1, 1, side, side)
    patch_of = nn.functional.interpolate(patch_of.float(), size=frames.face.shape[-2:], mode="nearest").long()[0]
    first = (n_faces.cumsum(0) - n_faces).view(solids, 1, 1, 1)
    seen = frames.face >= 0
    here = torch.arange(views, device=patches.device).view(1, views, 1, 1) * length + patch_of  # within the solid
    faces, places = int(n_faces.sum()), views * length
    pixels = torch.bincount(((first + frames.face) * places + here)[seen], minlength=faces * places)
    pair = pixels.nonzero()[:, 0]
    face, place = pair // places, pair % places
    count = pixels[pair].to(patches)[:, None]
    patch = torch.arange(solids, device=patches.device).repeat_interleave(n_faces)[face] * places + place
    total = patches.new_zeros(faces, dim).index_add(0, face, patches.reshape(-1, dim)[patch] * count)
    return total / pixels.view(faces, places).sum(1).clamp(min=1).to(patches)[:, None]


def faces_in_view(frames: Frames, n_faces: Tensor) -> Tensor:
    """True = the face has a pixel in some frame. Shapes: frames.face (B, T, H, W), n_faces (B,) -> (F,)"""
    first = (n_faces.cumsum(0) - n_faces).view(-1, 1, 1, 1)
    seen = (first + frames.face)[frames.face >= 0]
    return torch.bincount(seen, minlength=int(n_faces.sum())) > 0


class Backbone(FeatureExtractor):
    """Shapes: Batch -> Features, whatever the encoder reads.

    Faces: the encoder's tokens; a solid is the mean, least and greatest of its tokens, side by side. Images: a face is
    the mean of the patches in which its pixels lie, through the face-id frames; a solid is the mean of the patches of
    all its frames. A batch of frames alone, such as natural images, has no faces to answer for.
    """

    def __init__(self, tokens: nn.Module, encoder: TokenEncoder) -> None:
        super().__init__()
        self.tokens, self.encoder = tokens, encoder
        content: Any = tokens.reads
        self.reads, self.dim = frozenset(content), encoder.read_dim

    @property
    def solid_dim(self) -> int:
        return len(SPREADS) * self.dim if "faces" in self.reads else self.dim

    def top(self) -> list[nn.Module]:
        return self.encoder.top()

    def forward(self, batch: Batch) -> Features:
        tokens = self.tokens(batch)
        latent = self.encoder.read(tokens)
        x, valid = latent.x[:, 1:], latent.valid[:, 1:]
        is_face = valid & (tokens.kind.expand_as(tokens.valid).gather(1, latent.ids) == FACE)
        if bool(is_face.any()):
            mean = (x * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)
            return Features(x[is_face], self._solid(mean, x, valid))
        if batch.frames is None:
            raise ValueError("tokens without faces need a batch with frames")
        solids, views = batch.frames.image.shape[:2]
        depth: Any = getattr(self.tokens, "depth", 1)  # frames of a tubelet, all of which its token describes
        patches = x.reshape(solids, views // depth, -1, x.shape[-1]).repeat_interleave(depth, 1)
        solid = self._solid(patches.mean((1, 2)), x, valid)
        if batch.faces is None:
            return Features(x.new_zeros(0, x.shape[-1]), solid)
        n_faces = torch.bincount(batch.faces.solid, minlength=solids)
        return Features(pool_patches(patches, batch.frames, n_faces), solid)

    def _solid(self, mean: Tensor, x: Tensor, valid: Tensor) -> Tensor:
        """The mean and, of a network that reads faces, the least and greatest of the valid tokens beside it.

        Shapes: (B, D), (B, K, D), (B, K) -> (B, solid_dim)
        """
        if self.solid_dim == self.dim:
            return mean
        whose = valid.nonzero()[:, 0]
        return torch.cat([mean, *(gather(x[valid], whose, len(x), how) for how in SPREADS[1:])], 1)
