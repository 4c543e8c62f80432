"""What is wrong, as a matrix and as solids: every mistake is written or painted, and nothing else is."""

import numpy as np

from brep_mae.report.confusions import Mistaken, drawn, matrix
from brep_mae.report.drawings import SEEN
from brep_mae.schema import INSIDE, NORMAL, POINT
from tests.brep.solids import box, graph_of


def test_every_count_off_the_diagonal_is_written_and_every_class_named():
    table = np.array([[5, 2, 0], [0, 7, 0], [1, 0, 3]])
    axes = matrix(table, ["slot", "step", "stock"], "title").axes[0]
    written = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
    assert written[1, 0] == "2" and written[0, 2] == "1" and written[1, 1] == "100.0%"
    assert len(written) == 5, "three on the diagonal, two mistakes"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["slot", "step", "stock"]


def test_wrong_faces_are_painted_and_the_title_says_what_they_were_taken_for():
    graph = graph_of(box(4, 3, 2), grid=5)
    grid = np.concatenate(
        [graph.face_grid[..., POINT] / graph.scale_mm, graph.face_grid[..., NORMAL],
         graph.face_grid[..., INSIDE:]], -1)  # fmt: skip
    truth, answer = np.zeros(6, int), np.zeros(6, int)
    answer[2] = 1
    figure = drawn([Mistaken("a#0", grid, np.zeros((0, 5, 3)), truth, answer)], ["stock", "slot"])
    axes = figure.axes[0]
    assert axes.get_title() == "stock taken for slot"
    figure.draw_without_rendering()
    paint = axes.collections[0].get_facecolor()[:, :3]
    grey = np.abs(np.ptp(paint, axis=1) - 0) < np.ptp(SEEN) + 1e-6
    assert grey.sum() == 5 * 16 and (~grey).sum() == 16, "cells of five faces and of one"
