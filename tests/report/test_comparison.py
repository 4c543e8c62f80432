"""All methods side by side: numbers that a person computes by hand, in an order and at places that say them."""

import numpy as np
import pytest

from brep_mae.report.comparison import comparison, method_curves, network_colors
from brep_mae.report.figures import PALETTE, fewshot_curves
from brep_mae.report.methods import cost_table, quality_tables

SCORES = {"a": (0.5, 0.6, 0.7), "b": (0.5, 0.9, 0.4)}
PROBES = [
    {"method": method, "step": step, "task": "segmentation", "probe": probe, "score": score - (probe == "knn") * 0.1}
    for method, scores in SCORES.items()
    for probe in ("linear", "knn")
    for step, score in zip((100, 200, 0), (scores[1], scores[2], scores[0]), strict=True)
]
FEWSHOT = [
    {"task": "segmentation", "encoder": encoder, "kind": "faces", "mode": mode, "shots": shots, "seed": seed}
    | {"micro": base + 0.001 * shots + 0.02 * seed - 0.1 * (mode == "frozen")}
    for encoder, base in (("a", 0.3), ("b", 0.6), ("scratch_faces", 0.2))
    for mode in ("frozen", "finetuned")
    for shots in (1, 10, 50)
    for seed in (0, 1)
]


def test_the_table_has_the_last_score_the_gain_over_step_0_and_every_number_of_shots() -> None:
    (table,) = quality_tables(PROBES, FEWSHOT)
    assert table.header == ["method", "linear probe", "kNN", "1 shot", "10 shots", "50 shots"]
    assert list(table.rows[0]) == ["a", "70.0 (+20.0)", "60.0 (+20.0)", "31.1 ± 1.4", "32.0 ± 1.4", "36.0 ± 1.4"]
    assert table.rows[1][1] == "40.0 (-10.0)"
    assert list(table.rows[2][:3]) == ["scratch_faces", "–", "–"]
    assert quality_tables([], []) == []


def test_a_method_without_few_shot_results_has_its_probes_all_the_same() -> None:
    (table,) = quality_tables(PROBES, [])
    assert table.header == ["method", "linear probe", "kNN"] and len(table.rows) == 2


def test_costs_have_a_column_only_where_some_method_has_the_number() -> None:
    table = cost_table({"a": {"samples_per_s": 87.654, "parameters": 1234567}, "b": {"peak_gpu_mb": 12.0}})
    assert table.header == ["method", "samples/s", "peak GPU memory, MB", "all parameters"]
    assert [list(row) for row in table.rows] == [["a", "87.7", "–", "1,234,567"], ["b", "–", "12", "–"]]


def places(axes, marker: str, filled: bool) -> dict[float, float]:
    """row -> score of the dots of one kind."""
    found = {}
    for line in axes.lines:
        full = line.get_markerfacecolor() != "white"
        if line.get_marker() == marker and full == filled:
            found[float(line.get_ydata()[0])] = float(line.get_xdata()[0])
    return found


def test_the_figure_has_the_best_method_on_top_from_step_0_to_the_last() -> None:
    figure = comparison(PROBES, FEWSHOT)
    linear, knn, shots = figure.axes
    assert [label.get_text() for label in linear.get_yticklabels()] == ["a", "b"]
    assert places(linear, "o", filled=True) == pytest.approx({0: 70, 1: 40})
    assert places(linear, "o", filled=False) == pytest.approx({0: 50, 1: 50})
    assert places(knn, "o", filled=True) == pytest.approx({0: 60, 1: 30})
    assert [text.get_text() for text in linear.texts] == ["+20.0", "-10.0"]
    tuned, frozen = places(shots, "o", filled=True), places(shots, "s", filled=False)
    assert list(tuned.values()) == pytest.approx([32, 62]) and list(frozen.values()) == pytest.approx([22, 52])
    assert "10 shots" in shots.get_title()
    whiskers = [np.ptp(c.get_segments()[0][:, 0]) / 2 for c in shots.collections]
    assert whiskers == pytest.approx([100 * np.std([0, 0.02], ddof=1)] * 4)
    dashed = [line.get_xdata()[0] for line in shots.lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([22])  # scratch, fine-tuned


def test_without_few_shot_results_the_linear_probe_ranks() -> None:
    figure = comparison(PROBES, [])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "a"]


def test_a_method_has_a_panel_per_term_and_per_task_with_the_score_of_step_0_across() -> None:
    history = [
        {"step": s, "split": split, "loss": 1.0, "skipped": 0.0, "x.y": 2.0}
        for s in (1, 2)
        for split in ("train", "heldout")
    ]
    figure = method_curves(history, [row for row in PROBES if row["method"] == "a"])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["held out: loss", "held out: x.y", "segmentation: right, %"]
    curve, across, *_ = figure.axes[2].lines
    assert list(curve.get_xdata()) == [0, 100, 200] and list(curve.get_ydata()) == pytest.approx([50, 60, 70])
    assert across.get_ydata()[0] == pytest.approx(50)
    assert len(method_curves(history, []).axes) == 2


def test_twelve_methods_have_colours_of_their_own_and_are_listed_best_first() -> None:
    assert len(set(PALETTE)) == len(PALETTE) >= 14
    rows = [
        {"task": "t", "encoder": f"e{i}", "kind": "faces", "mode": mode, "shots": shots, "seed": 0, "micro": i / 20}
        for i in range(14)
        for mode in ("frozen", "finetuned")
        for shots in (1, 10)
    ]
    figure = fewshot_curves(rows, "t", "micro")
    assert [axes.get_title() for axes in figure.axes] == ["t, frozen", "t, finetuned"]
    for axes in figure.axes:
        assert len({line.get_color() for line in axes.lines}) == 14
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"e{i}" for i in range(13, -1, -1)]


def test_a_network_from_scratch_has_the_colour_of_the_methods_that_share_it():
    colors = network_colors(
        [
            {"encoder": encoder, "kind": kind}
            for encoder, kind in (("scratch_a", "a"), ("a", "a"), ("b", "a"), ("c", "c"), ("majority", "none"))
        ]
    )
    assert colors["scratch_a"] == colors["a"] == colors["b"] != colors["c"]
    assert "majority" not in colors
