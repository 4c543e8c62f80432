"""Drawings and what is said of them -> a binary glTF file, for viewers and renderers."""

from collections.abc import Mapping, Sequence

import numpy as np
import trimesh
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from brep_mae.answers import SolidAnswers
from brep_mae.brep.write.drawing import Drawing
from brep_mae.palette import NO_CLASS, Color

METRES = 1e-3
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Turns z, which is up in CAD, into y."""
UNASKED = "no class"


def glb_file(drawings: Sequence[tuple[Drawing, SolidAnswers | None]], colors: Mapping[str, Color]) -> bytes:
    """GLB in metres, y up, as the format asks for, with one material a class, which has its name.

    Args:
        drawings: of the solids of a file, at least one.
        colors: of every class.
    """
    scene = trimesh.Scene()
    materials: dict[str, PBRMaterial] = {}
    for drawing, answers in drawings:
        place = np.eye(4)
        place[:3, :3] *= METRES
        place[:3, 3] = METRES * drawing.center_mm
        named = [answers.of_face(number).name if answers else UNASKED for number in range(len(drawing.surfaces))]
        for name in dict.fromkeys(named):
            if name not in materials:
                color = [*colors.get(name, NO_CLASS), 255]
                materials[name] = PBRMaterial(name=name, baseColorFactor=color, metallicFactor=0.0, roughnessFactor=0.8)
            shown = drawing.triangle[np.isin(drawing.face, [i for i, own in enumerate(named) if own == name])]
            used, corner = np.unique(shown, return_inverse=True)
            mesh = trimesh.Trimesh(
                drawing.point[used], corner.reshape(-1, 3), vertex_normals=drawing.normal[used], process=False
            )
            mesh.visual = TextureVisuals(material=materials[name])
            scene.add_geometry(mesh, geom_name=f"{drawing.solid}: {name}", transform=Y_UP @ place)
    return bytes(scene.export(file_type="glb", include_normals=True))
