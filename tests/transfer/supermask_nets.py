"""Three small networks, one per kind of encoder, and tasks for each: what the supermask tests share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINEConv

from brep_mae.transfer.continual_fit import Task
from brep_mae.transfer.supermask import SupermaskModel

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
    return Batch.from_data_list(graphs), torch.cat(labels)


@dataclass(frozen=True)
class Kind:
    """A network, its batches, and the shape of the pattern that tells a class."""

    net: Callable[[], nn.Module]
    batch: Callable[[Tensor, int, torch.Generator], tuple[Any, Tensor]]
    pattern: tuple[int, ...]


KINDS = {
    "vit": Kind(TinyViT, image_batch, (2, 8, 8)),
    "graph": Kind(TinyGraph, graph_batch, (DIM,)),
    "conv": Kind(TinyConv, image_batch, (2, 8, 8)),
}


def make_task(kind: str, seed: int, n_classes: int = 2, batches: int = 4, rows: int = 48) -> Task:
    """Classes are patterns under noise; another seed, other patterns."""
    rng = torch.Generator().manual_seed(seed)
    patterns = torch.randn(n_classes, *KINDS[kind].pattern, generator=rng)
    train, val, test = ([KINDS[kind].batch(patterns, rows, rng) for _ in range(n)] for n in (batches, 1, 2))
    return Task(f"task {seed}", n_classes, train, val, test)


def make_model(kind: str, base: str = "random", density: float = 0.3, seed: int = 0) -> SupermaskModel:
    torch.manual_seed(5)
    return SupermaskModel(KINDS[kind].net(), max_classes=3, feature_dim=DIM, density=density, base=base, seed=seed)


def shuffled_labels(task: Task, seed: int = 0) -> Task:
    """The same data, its labels drawn at random."""
    rng = torch.Generator().manual_seed(seed)
    drawn = [(b, torch.randint(task.n_classes, labels.shape, generator=rng)) for b, labels in task.train]
    return replace(task, name=f"{task.name} at random", train=drawn)
