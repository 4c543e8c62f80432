"""What is told of a search: its best candidate, never the baseline, beside the noise that it must exceed."""

import json

import pytest

from brep_mae.report.evolution import search, shares, weights_table
from brep_mae.report.page import page
from brep_mae.report.sources import Sources

ROWS = [
    {"candidate": name, "generation": int(name[:2]), "weights": {"uvgrid": u, "pixels": p}, "soft": soft}
    | {"hard": soft / 2, "sd": 0.01, "loss": 1.0}
    for name, u, p, soft in (("00-00", 0.5, 0.5, 0.4), ("00-01", 0.6, 0.2, 0.2), ("01-00", 1.0, 0.5, 0.3))
]
EQUAL = {"candidate": "equal", "generation": 0, "weights": {"uvgrid": 1.0, "pixels": 1.0}, "soft": 0.1, "hard": 0.05}
ROWS.insert(2, EQUAL | {"sd": 0.02, "loss": 1.0})


def test_the_table_has_the_best_candidate_even_where_equal_weights_are_better() -> None:
    table = weights_table("joint", ROWS)
    assert table.rows == [["uvgrid", "0.60", "0.75"], ["pixels", "0.20", "0.25"]]
    assert "best of 3 candidates, 00-01" in table.note
    assert (
        "0.200 (counted sizes 0.100), with equal weights 0.100 (0.050); sd over the runs of k-means 0.020" in table.note
    )


def test_a_common_factor_changes_no_share() -> None:
    row = {"weights": {"uvgrid": 0.3, "pixels": 0.1}}
    assert shares(row) == pytest.approx({"uvgrid": 0.75, "pixels": 0.25})
    assert shares({"weights": {"uvgrid": 0.9, "pixels": 0.3}}) == pytest.approx(shares(row))


def test_the_figure_has_a_point_per_candidate_the_best_so_far_and_the_baseline_across() -> None:
    left, right = search(ROWS).axes
    points = [container.lines[0].get_xydata().tolist() for container in left.containers]
    assert points == [[[1, 0.4], [2, 0.2]], [[3, 0.3]]]
    best, equal = [line for line in left.lines if line.get_label() in ("best so far", "equal weights")]
    assert best.get_ydata().tolist() == [0.4, 0.2, 0.2] and equal.get_ydata() == [0.1, 0.1]
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0.75, 0.25])


def test_the_page_reads_every_search_and_says_where_there_was_none(tmp_path) -> None:
    folder = tmp_path / "results/evolve/joint"
    folder.mkdir(parents=True)
    (folder / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    sources = Sources.read(tmp_path / "data", tmp_path / "models", tmp_path / "results")
    assert sources.evolved == {"joint": ROWS}
    assert "Weights found for joint" in page(sources, {}) and "run the evolve stage" in page(Sources(), {})
