"""Tables and figure of several labels a solid."""

import json

import pytest

from brep_mae.report.multilabel import by_class, multilabel_tables, policy_figure, with_frequency
from brep_mae.report.page import page
from brep_mae.report.sources import Sources


def row(rule: str, seed: int, macro_f1: float, **more: object) -> dict:
    return {
        "rule": rule,
        "seed": seed,
        "macro_f1": macro_f1,
        "micro_f1": 0.5,
        "map": 0.6,
        "strict": 0.1,
        "f1": [0.8, 0.4, None],
        "curve": [0.1, 0.2],
        "classes": ["hole", "slot", "step"],
        "frequency": [0.5, 0.25, 0.0],
        "weights": [0.5, 1.5, 1.0],
        "thresholds": [0.6, 0.3, 0.5],
    } | more


ROWS = [
    row("policy", 0, 0.50),
    row("fixed", 0, 0.40),
    row("policy", 1, 0.60, classes=["slot", "step", "bore"], f1=[0.6, 0.2, 0.1]),
    row("fixed", 1, 0.56),
]


def test_scores_gains_and_what_the_policy_sets() -> None:
    scores, gains, classes = multilabel_tables(ROWS)
    assert scores.rows[0] == ["policy", "55.0 ± 7.1", "50.0 ± 0.0", "60.0 ± 0.0", "10.0 ± 0.0"]
    assert [line[0] for line in gains.rows] == ["fixed"]
    assert gains.rows[0][1].startswith("+7.0 [") and gains.rows[0][2] == "+0.0 [+0.0, +0.0]"
    named = {line[0]: line[1:] for line in classes.rows}
    assert named["hole"] == ["50.0", "0.50", "0.60", "80.0"]
    assert named["slot"] == ["37.5", "1.00", "0.45", "50.0"]  # of both draws
    assert [line[0] for line in classes.rows] == ["hole", "slot", "step", "bore"], "the most frequent one first"
    assert "of weights -1.00 [-1.00, -1.00], of thresholds +1.00 [+1.00, +1.00]" in classes.note


def test_classes_are_joined_by_name_and_one_that_no_test_solid_shows_has_no_f1() -> None:
    found = by_class([ROWS[0]])
    assert found["hole"] == [{"frequency": 0.5, "weight": 0.5, "threshold": 0.6, "f1": 0.8}]
    [[_, *_, dash]] = [line for line in multilabel_tables(ROWS[:2])[2].rows if line[0] == "step"]
    assert dash == "–"


def test_a_class_that_never_trains_and_a_constant_tell_nothing_of_the_correlation() -> None:
    assert with_frequency([ROWS[0]], "weights") == [pytest.approx(-1)]
    assert with_frequency([row("policy", 0, 0.5, weights=[1.0, 1.0, 3.0])], "weights") == []
    assert "of weights not defined" in multilabel_tables([row("policy", 0, 0.5, weights=[1.0] * 3)])[2].note


def test_the_page_and_the_figure_show_them(tmp_path) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/runs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    sources = Sources.read(tmp_path, tmp_path, tmp_path)
    html = page(sources, {"multilabel/what the policy sets": b"png"})
    assert "<td>55.0 ± 7.1</td>" in html and "what the policy sets" in html
    assert "run the policy stage" in page(Sources(), {})
    weights, _, curves = policy_figure(ROWS).axes
    assert [line.get_label() for line in curves.lines] == ["policy", "fixed"]
    assert list(weights.lines[0].get_xdata()) == [50.0, 25.0, 0.0]
