"""Solid -> turntable frames: shaded images from cameras all around it, and which face each pixel shows."""

import math
from dataclasses import dataclass

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the renderer behind vtkRenderWindow)
from OCP.TopoDS import TopoDS_Shape
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkLogger, vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkCamera, vtkLight, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow

from brep_mae.brep.reject import Reject
from brep_mae.brep.render.mesh import Mesh, tessellate

ELEVATION_DEG = 35.0
"""Cameras stand so far above the horizon in the 1st, 3rd, ... view of a turn and so far below it in the others. Walls
keep cos 35 = 82 % of their height and what lies on top, or underneath, sin 35 = 57 %, so that steps, pockets and side
faces all show in one turn."""

START_DEG = 35.0
"""Azimuth of the first camera, from +x towards +y. Not 0 or 45: a box would show one wall or two alike."""

LIGHTS = (((-1.3, 0.2, 0.9), (0.70, 0.67, 0.62)), ((0.0, -1.0, 0.5), (0.16, 0.19, 0.24)))
"""(direction, RGB) in camera axes (x right, y up, z towards the viewer): a warm key light and a cool fill light,
as in Gooch et al. 1998, so that two walls that lean alike from one light still differ in hue. They stand where the
faces of a box and its chamfers differ most in the views of a turn. With AMBIENT the sum stays below white, which is
kept for the background."""

AMBIENT = 0.18

LINE = 0.4
"""How much of its light a pixel keeps on a line between two faces."""


@dataclass(frozen=True)
class Frames:
    """One turntable. `image` (T, H, W, 3) uint8, pure white exactly where there is no solid; `face` (T, H, W) int16,
    the face's number in the order of `TopExp::MapShapes`, -1 where there is no solid. Row 0 is the top."""

    image: np.ndarray
    face: np.ndarray


def camera_axes(view: int, views: int) -> np.ndarray:
    """Rows right, up and back (from the solid to the camera) of camera `view` of `views`: (3, 3), orthonormal."""
    azimuth = math.radians(START_DEG) + 2 * math.pi * view / views
    elevation = math.radians(ELEVATION_DEG) * (1 if view % 2 == 0 else -1)
    ce, se, ca, sa = math.cos(elevation), math.sin(elevation), math.cos(azimuth), math.sin(azimuth)
    return np.array([[-sa, ca, 0.0], [-se * ca, -se * sa, ce], [ce * ca, ce * sa, se]])


def crop(point: np.ndarray, axes: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """The square that a camera shows of points (V, 3): its middle (2,) along right and up, and half its width, which
    leaves one pixel of air on each side. `axes` as of `camera_axes`; `size` of a frame in pixels."""
    flat = point @ axes[:2].T
    low, high = flat.min(0), flat.max(0)
    return (low + high) / 2, float((high - low).max()) / 2 * (1 + 2 / size)


def lines(face: np.ndarray) -> np.ndarray:
    """True = the pixel shows another face than the one on its right or the one below it does. (..., H, W) -> the same

    Read off the face numbers, so that lines are hidden where their edges are, a seam within a face is none, and every
    border between two faces has one: creases, smooth transitions, and a face that ends before another."""
    drawn = np.zeros(face.shape, bool)
    for here, there in ((np.s_[..., :-1, :], np.s_[..., 1:, :]), (np.s_[..., :-1], np.s_[..., 1:])):
        drawn[here] |= (face[here] != face[there]) & (face[here] >= 0) & (face[there] >= 0)
    return drawn


def _open_window(width: int, height: int) -> vtkRenderWindow:
    """An off-screen window. The log is off meanwhile: VTK warns that there is no screen before it does without one."""
    level = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(width, height)
    window.Initialize()
    vtkLogger.SetStderrVerbosity(level)
    if not window.GetInitialized():  # drawing would crash the process
        raise RuntimeError("no OpenGL to render with; install Mesa's EGL (Debian, Ubuntu: apt-get install libegl1)")
    return window


class Turntable:
    """Renders many solids with one off-screen window, since opening a window costs more than rendering a solid.

    Camera k of T stands at azimuth START_DEG + 360 k / T about z, ELEVATION_DEG above the horizon where k is even and
    below it where k is odd, without perspective. Every frame is cropped to what it shows of the solid, so that nothing
    is cut off and the solid's size and place are not seen; frames of one solid differ in scale. Faces are parted by
    dark lines. No anti-aliasing: an image is not white exactly where a face is named.

    Args:
        views: frames T per solid, equally spaced over the full circle.
        size: height and width of a frame in pixels.

    Not for use from more than one thread.
    """

    def __init__(self, views: int, size: int):
        self.views, self.size = views, size
        self._solid, self._camera = vtkPolyData(), vtkCamera()
        self._camera.ParallelProjectionOn()
        self._camera.SetClippingRange(0.5, 3.5)
        shaded, named = vtkActor(), vtkActor()
        shaded.GetProperty().SetAmbient(AMBIENT)
        shaded.GetProperty().SetDiffuse(1)
        shaded.GetProperty().SetInterpolationToPhong()
        named.GetProperty().LightingOff()
        self._window = _open_window(2 * size, size)  # image left, face numbers right: one draw, one read
        for actor, viewport in ((shaded, (0, 0, 0.5, 1)), (named, (0.5, 0, 1, 1))):
            mapper, scene = vtkPolyDataMapper(), vtkRenderer()
            mapper.SetInputData(self._solid)
            mapper.SetScalarVisibility(actor is named)
            mapper.SetScalarModeToUseCellData()
            mapper.SetColorModeToDirectScalars()
            actor.SetMapper(mapper)
            scene.AddActor(actor)
            scene.SetViewport(*viewport)
            scene.SetActiveCamera(self._camera)
            scene.SetBackground(*((1, 1, 1) if actor is shaded else (0, 0, 0)))
            scene.AutomaticLightCreationOff()
            for direction, color in LIGHTS if actor is shaded else ():
                light = vtkLight()
                light.SetLightTypeToCameraLight()
                light.SetPosition(*direction)
                light.SetFocalPoint(0, 0, 0)
                light.SetColor(*color)
                scene.AddLight(light)
            self._window.AddRenderer(scene)

    def render(self, shape: TopoDS_Shape) -> Frames:
        """Draws one solid from every camera.

        Raises:
            Reject: degenerate or too_many_faces.
        """
        mesh = tessellate(shape, 0.25 / self.size)  # half a pixel at most
        if mesh.n_faces > np.iinfo(np.int16).max:
            raise Reject("too_many_faces", f"{mesh.n_faces} faces, more than an int16 can number")
        point = self._load(mesh)
        image = np.empty((self.views, self.size, self.size, 3), np.uint8)
        face = np.empty((self.views, self.size, self.size), np.int16)
        pixels = vtkUnsignedCharArray()
        for view in range(self.views):
            axes = camera_axes(view, self.views)
            middle, half = crop(point, axes, self.size)
            focus = middle @ axes[:2]
            self._camera.SetFocalPoint(*focus)
            self._camera.SetPosition(*(focus + 2 * axes[2]))
            self._camera.SetViewUp(*axes[1])
            self._camera.SetParallelScale(half)
            self._window.Render()
            self._window.GetPixelData(0, 0, 2 * self.size - 1, self.size - 1, 0, pixels, 0)
            both = vtk_to_numpy(pixels).reshape(self.size, 2 * self.size, 3)[::-1]  # OpenGL's row 0 is the bottom
            image[view] = both[:, : self.size]
            code = both[:, self.size :].astype(np.int32)
            face[view] = code[..., 0] + 256 * code[..., 1] + 65536 * code[..., 2] - 1
        drawn = lines(face)
        image[drawn] = (LINE * image[drawn]).astype(np.uint8)
        return Frames(image, face)

    def _load(self, mesh: Mesh) -> np.ndarray:
        """Puts `mesh` on the table, moved and scaled into the unit sphere; answers with its points (V, 3) there."""
        point = mesh.point - (mesh.point.min(0) + mesh.point.max(0)) / 2
        point /= np.linalg.norm(point, axis=1).max()
        code = mesh.face + 1
        color = np.stack([code & 255, code >> 8 & 255, code >> 16], axis=1).astype(np.uint8)
        points, cells = vtkPoints(), vtkCellArray()
        points.SetData(numpy_to_vtk(point.astype(np.float32), deep=True))
        offset = np.arange(0, mesh.triangle.size + 1, 3)
        corner = numpy_to_vtkIdTypeArray(mesh.triangle.ravel(), deep=True)
        cells.SetData(numpy_to_vtkIdTypeArray(offset, deep=True), corner)
        self._solid.SetPoints(points)
        self._solid.SetPolys(cells)
        self._solid.GetPointData().SetNormals(numpy_to_vtk(mesh.normal.astype(np.float32), deep=True))
        self._solid.GetCellData().SetScalars(numpy_to_vtk(color, deep=True))
        return point


def render(shape: TopoDS_Shape, views: int, size: int) -> Frames:
    """One solid's frames; for many solids keep a `Turntable`."""
    return Turntable(views, size).render(shape)
