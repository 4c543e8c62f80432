"""Teachers that look at images: a timm vision transformer, and any of them asked about faces."""

from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.composition.teacher import Teacher
from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.models.backbone import faces_in_view, pool_patches
from brep_mae.targets.teacher_targets import TeacherTargets


class TimmTeacher(Teacher):
    """A timm vision transformer on whole frames, resized so that it has `side` patches per side.

    Features are the last block's, before the last norm. Pixels are standardised as the model's own were.

    Args:
        model: made with timm.
        side: patches per side, the student's where that one reads frames too.
    """

    def __init__(self, model: nn.Module, side: int) -> None:
        super().__init__()
        model.norm = nn.Identity()
        self.model = model.requires_grad_(False).eval()
        config = model.pretrained_cfg
        self.pixels = side * int(model.patch_embed.patch_size[0])  # type: ignore[index,union-attr,arg-type]
        self.mean, self.std = (torch.tensor(config[k]).view(3, 1, 1) for k in ("mean", "std"))  # type: ignore[index]

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({"frames"})

    @torch.no_grad()
    def forward(self, batch: Batch, mask: Mask) -> TeacherTargets:
        assert batch.frames is not None
        image = batch.frames.image.flatten(0, 1)
        image = F.interpolate(image, size=(self.pixels, self.pixels), mode="bicubic", antialias=True).clamp(0, 1)
        x = self.model.forward_features((image - self.mean.to(image)) / self.std.to(image))  # type: ignore[operator]
        before = int(self.model.num_prefix_tokens)  # type: ignore[arg-type]
        whole = x[:, 0] if before else x.mean(1)
        return TeacherTargets.of(batch, x[:, before:].flatten(0, 1), whole)


class Pooled(Teacher):
    """An image teacher speaking of faces: the mean of its patches in which a face appears, weighted by pixels.

    A face that no frame shows, and every class token, is not known.
    """

    def __init__(self, images: Teacher) -> None:
        super().__init__()
        self.images = images

    @property
    def reads(self) -> frozenset[str]:
        return self.images.reads | {"faces"}

    def forward(self, batch: Batch, mask: Mask) -> TeacherTargets:
        if batch.frames is None or batch.faces is None:
            raise ValueError("a teacher that looks at faces in frames needs a batch with both")
        solids, views = batch.frames.image.shape[:2]
        x = self.images(batch, mask).features
        n_faces = torch.bincount(batch.faces.solid, minlength=solids)
        face = pool_patches(x.view(solids, views, -1, x.shape[1]), batch.frames, n_faces)
        known = faces_in_view(batch.frames, n_faces)
        class_features = face.new_zeros(batch.faces.n_solids, face.shape[1])
        return TeacherTargets.of(batch, face, class_features, known, known.new_zeros(len(class_features)))


def timm_model(name: str, path: str) -> nn.Module:
    """Vision transformer `name` with the weights in `path`, random ones where it is ""."""
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, dynamic_img_size=True)
    except (RuntimeError, TypeError) as error:
        raise CheckpointError(f"{name}: no vision transformer of timm ({error}); take one such as vit_*") from None
    if not path:
        return model
    try:
        file = Path(path)
        state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
        model.load_state_dict({k: v for k, v in state.items() if not k.startswith("head.")})
    except Exception as error:
        raise CheckpointError(f"{path}: not weights of {name} ({error}); fetch them for this model") from None
    return model
