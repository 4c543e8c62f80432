"""UV-Net: convolutions over UV-grids of faces and U-grids of edges, then messages over the face graph.

Jayaraman et al. 2021, arXiv:2006.10211, section 4. Differs from the paper: every edge is met in both directions, with
the coedge's own U-grid, where the authors' data hold one arc an edge. Never pretrained.
"""

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import FeatureExtractor, Features

GRID_DIM, GRAPH_DIM, LAYERS = 64, 128, 2
CHANNELS = (64, 128, 256)
SURFACE_CHANNELS, CURVE_CHANNELS = 7, 6


def grid_encoder(axes: int, channels: int) -> nn.Sequential:
    """Three convolutions of width 3 over the grid's axes, their mean over the grid, a linear layer.

    Shapes: (N, channels, grid...) -> (N, GRID_DIM)
    """
    conv, norm, pool = (
        (nn.Conv1d, nn.BatchNorm1d, nn.AdaptiveAvgPool1d)
        if axes == 1
        else (nn.Conv2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d)
    )
    layers: list[nn.Module] = []
    for width_in, width in zip((channels, *CHANNELS), CHANNELS, strict=False):
        layers += [conv(width_in, width, 3, padding=1, bias=False), norm(width), nn.LeakyReLU()]
    last = [nn.Linear(CHANNELS[-1], GRID_DIM, bias=False), nn.BatchNorm1d(GRID_DIM), nn.LeakyReLU()]
    return nn.Sequential(*layers, pool(1), nn.Flatten(), *last)


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(GRID_DIM, GRID_DIM), nn.BatchNorm1d(GRID_DIM), nn.LeakyReLU(), nn.Linear(GRID_DIM, GRID_DIM)
    )


class GraphLayer(nn.Module):
    """One round: every face sums its neighbours, each scaled by what lies between them; then arcs learn of both ends.

    Shapes: faces (F, GRID_DIM), arcs (A, GRID_DIM), arc_index (2, A) -> the same two
    """

    def __init__(self) -> None:
        super().__init__()
        self.of_face, self.of_arc = mlp(), mlp()
        self.gate, self.ends = nn.Linear(GRID_DIM, GRID_DIM), nn.Linear(GRID_DIM, GRID_DIM)
        self.own_face, self.own_arc = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.norm_face, self.norm_arc = nn.BatchNorm1d(GRID_DIM), nn.BatchNorm1d(GRID_DIM)

    def forward(self, faces: Tensor, arcs: Tensor, arc_index: Tensor) -> tuple[Tensor, Tensor]:
        i, j = arc_index
        heard = scatter(self.gate(arcs) * faces[j], i, dim_size=len(faces), reduce="sum")
        new = self.norm_face(self.of_face((1 + self.own_face) * faces + heard)).relu()
        if not len(arcs):  # solids of one face each: normalisation has nothing to take a mean of
            return new, arcs
        return new, self.norm_arc(self.of_arc((1 + self.own_arc) * arcs + self.ends(faces[i] + faces[j]))).relu()


class UVNet(FeatureExtractor):
    """Shapes: Batch with F faces of B solids -> Features, face (F, GRID_DIM + GRAPH_DIM), solid (B, GRAPH_DIM).

    Reads coordinates as the solid's box rescales them, so that a rotated solid is another one to it.
    """

    reads = frozenset({"faces", "uvgrid", "arcs", "ugrid"})
    dim, solid_dim = GRID_DIM + GRAPH_DIM, GRAPH_DIM

    def __init__(self) -> None:
        super().__init__()
        self.surfaces, self.curves = grid_encoder(2, SURFACE_CHANNELS), grid_encoder(1, CURVE_CHANNELS)
        self.layers = nn.ModuleList(GraphLayer() for _ in range(LAYERS))
        self.summaries = nn.ModuleList(nn.Linear(GRID_DIM, GRAPH_DIM) for _ in range(LAYERS + 1))

    def top(self) -> list[nn.Module]:
        return [self.layers[-1], self.summaries[-1]]

    def forward(self, batch: Batch) -> Features:
        content = batch.faces_with(self.reads)
        faces = self.surfaces(content.grid.permute(0, 3, 1, 2))
        arc_grid = content.arc_grid.transpose(1, 2)
        arcs = self.curves(arc_grid) if len(arc_grid) else arc_grid.new_zeros(0, GRID_DIM)
        solid: Tensor = torch.zeros(())
        for k, summary in enumerate(self.summaries):
            solid = solid + summary(scatter(faces, content.solid, dim_size=content.n_solids, reduce="max"))
            if k < LAYERS:
                faces, arcs = self.layers[k](faces, arcs, content.arc_index)
        return Features(torch.cat([faces, solid[content.solid]], 1), solid)
