"""Networks and tasks for each: what the supermask tests share. Three small ones hold layer types of all sorts; the
others are our graph encoders, our image encoder and the paper's ResNet-18."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch_geometric.data import Batch as Graphs
from torch_geometric.data import Data
from torch_geometric.nn import GINEConv

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.continual.class_tasks import TaskBatch, TaskFeatures
from brep_mae.continual.continual_fit import Task
from brep_mae.continual.supermask import SupermaskModel
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.features.invariants import FACE_DIM
from brep_mae.models.resnet import ResNet18
from tests.synthetic import GRID, make_batch

DIM = 16


@dataclass(frozen=True)
class Settings:
    """The part of `ContinualParams` that a sequence reads."""

    mask_steps: int = 8
    weight_steps: int = 6
    mask_lr: float = 0.02
    weight_lr: float = 0.003
    transfer: str = "none"


class TinyViT(nn.Module):
    """Class token, learned positions, two timm blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = PatchEmbed(img_size=8, patch_size=4, in_chans=2, embed_dim=DIM)
        self.cls_token = nn.Parameter(torch.randn(1, 1, DIM) * 0.1)
        self.pos_embed = nn.Parameter(torch.randn(1, 5, DIM) * 0.1)
        self.blocks = nn.Sequential(*(Block(DIM, 2, mlp_ratio=2, qkv_bias=True) for _ in range(2)))
        self.norm = nn.LayerNorm(DIM)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.cat([self.cls_token.expand(len(images), -1, -1), self.patches(images)], 1) + self.pos_embed
        return self.norm(self.blocks(x))[:, 0]


class TinyGraph(nn.Module):
    """Two GINE layers with an edge map, BatchNorm inside the first, LayerNorm at the end; one row per node."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = nn.Embedding(3, DIM)
        first = nn.Sequential(nn.Linear(DIM, DIM), nn.BatchNorm1d(DIM), nn.ReLU(), nn.Linear(DIM, DIM))
        self.convs = nn.ModuleList(
            [GINEConv(first, edge_dim=4, train_eps=True), GINEConv(nn.Linear(DIM, DIM), edge_dim=4)]
        )
        self.norm = nn.LayerNorm(DIM)

    def forward(self, data: Data) -> Tensor:
        x = data.x + self.kind(data.kind)
        for conv in self.convs:
            x = torch.relu(conv(x, data.edge_index, data.edge_attr))
        return self.norm(x)


class TinyConv(nn.Module):
    """A residual block with BatchNorm, as in the paper's ResNet-18 but one layer wide."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)
        )
        self.out = nn.Conv2d(8, DIM, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(DIM)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        return self.norm(self.out(x + self.body(x))).relu().mean((2, 3))


def image_batch(patterns: Tensor, rows: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.randint(len(patterns), (rows,), generator=rng)
    return patterns[labels] + 0.7 * torch.randn(rows, 2, 8, 8, generator=rng), labels


def graph_batch(patterns: Tensor, rows: int, rng: torch.Generator) -> tuple[Any, Tensor]:
    """Rings of 8 nodes whose halves have a class each; a sixth of the nodes belong to no class of the task."""
    graphs, labels = [], []
    for _ in range(rows // 8):
        label = torch.randint(len(patterns), (2,), generator=rng).repeat_interleave(4)
        ring = torch.arange(8)
        index = torch.cat([torch.stack([ring, ring.roll(1)]), torch.stack([ring.roll(1), ring])], 1)
        x = patterns[label] + 0.7 * torch.randn(8, DIM, generator=rng)
        kind, edge = torch.randint(3, (8,), generator=rng), torch.randn(16, 4, generator=rng)
        graphs.append(Data(x=x, kind=kind, edge_index=index, edge_attr=edge))
        labels.append(label.masked_fill(torch.rand(8, generator=rng) < 1 / 6, -1))
    return Graphs.from_data_list(graphs), torch.cat(labels)


def face_batch(key: str, spread: float) -> "MakeBatch":
    """Solids whose faces have a class each, told by the field `key`; a sixth of the faces belongs to no class."""

    def made(patterns: Tensor, rows: int, rng: torch.Generator) -> tuple[TaskBatch, Tensor]:
        batch = make_batch([6] * (rows // 6), int(torch.randint(1000, (), generator=rng)))
        assert batch.faces is not None
        labels = torch.randint(len(patterns), (rows // 6 * 6,), generator=rng)
        noise = torch.randn(len(labels), *patterns.shape[1:], generator=rng)
        faces = replace(batch.faces, **{key: 3 * patterns[labels] + spread * noise})
        unlabelled = torch.rand(len(labels), generator=rng) < 1 / 6
        return TaskBatch(replace(batch, faces=faces), "segmentation"), labels.masked_fill(unlabelled, -1)

    return made


def frame_batch(patterns: Tensor, rows: int, rng: torch.Generator) -> tuple[TaskBatch, Tensor]:
    labels = torch.randint(len(patterns), (rows,), generator=rng)
    drawn = patterns[labels][:, None]
    image = 0.5 + 0.2 * drawn + 0.1 * torch.randn(drawn.shape, generator=rng)
    frames = Frames(image, torch.full((rows, 1, *drawn.shape[-2:]), -1))
    return TaskBatch(Batch(tuple(map(str, range(rows))), None, frames), "classification"), labels


def ours(method: str) -> Callable[[], nn.Module]:
    """A small backbone of a method."""
    tiny = {"dim": DIM, "depth": 2, "heads": 2}
    values = dict(settings.load().methods[method])
    values |= {k: v for k, v in {"size": tiny, "decoder": tiny, "patch": 4, "dim": DIM}.items() if k in values}
    return lambda: TaskFeatures(build(method, values, DataSpec(grid=GRID, frame=16)).backbone())


MakeBatch = Callable[[Tensor, int, torch.Generator], tuple[Any, Tensor]]


@dataclass(frozen=True)
class Kind:
    """A network, its batches, the shape of the pattern that tells a class, and the width of its features."""

    net: Callable[[], nn.Module]
    batch: MakeBatch
    pattern: tuple[int, ...]
    dim: int = DIM


KINDS = {
    "vit": Kind(TinyViT, image_batch, (2, 8, 8)),
    "graph": Kind(TinyGraph, graph_batch, (DIM,)),
    "conv": Kind(TinyConv, image_batch, (2, 8, 8)),
    "mae_faces": Kind(ours("mae_faces"), face_batch("scalars", 3.0), (2,), 3 * DIM),
    "attribute_masking": Kind(ours("attribute_masking"), face_batch("invariant", 8.0), (FACE_DIM,), 5 * DIM),
    "mae_images": Kind(ours("mae_images"), frame_batch, (3, 16, 16), 3 * DIM),
    "resnet18": Kind(lambda: TaskFeatures(ResNet18()), frame_batch, (3, 8, 8), 160),
}


def make_task(kind: str, seed: int, n_classes: int = 2, batches: int = 4, rows: int = 48) -> Task:
    """Classes are patterns under noise; another seed, other patterns."""
    rng = torch.Generator().manual_seed(seed)
    patterns = torch.randn(n_classes, *KINDS[kind].pattern, generator=rng)
    train, val, test = ([KINDS[kind].batch(patterns, rows, rng) for _ in range(n)] for n in (batches, 1, 2))
    return Task(f"task {seed}", tuple("abcdefghi"[:n_classes]), train, val, test)


def make_model(kind: str, base: str = "random", density: float = 0.3, seed: int = 0) -> SupermaskModel:
    torch.manual_seed(5)
    return SupermaskModel(
        KINDS[kind].net(), max_classes=3, feature_dim=KINDS[kind].dim, density=density, base=base, seed=seed
    )


def shuffled_labels(task: Task, seed: int = 0) -> Task:
    """The same data, its labels drawn at random."""
    rng = torch.Generator().manual_seed(seed)
    drawn = [(b, torch.randint(task.n_classes, labels.shape, generator=rng)) for b, labels in task.train]
    return replace(task, name=f"{task.name} at random", train=drawn)
