"""Known rows give the mean, spread, gain and interval that a person computes by hand."""

import json
import math
from pathlib import Path

import pytest

from brep_mae.report.sources import Sources
from brep_mae.report.tables import Table, continual_table, fewshot_tables, gain_tables, gains, summarise


def row(encoder: str, kind: str, seed: int, micro: float, shots: int = 5, mode: str = "finetuned") -> dict:
    values = {"task": "segmentation", "encoder": encoder, "kind": kind, "mode": mode, "shots": shots, "seed": seed}
    return values | {"micro": micro, "covered": 0.5, "seconds": 1.0}


ROWS = [
    *(row("mae_faces", "faces", seed, value) for seed, value in enumerate((0.6, 0.7, 0.8))),
    *(row("scratch_faces", "faces", seed, value) for seed, value in enumerate((0.5, 0.5, 0.5))),
    *(row("scratch_images", "images", seed, value) for seed, value in enumerate((0.1, 0.1, 0.1))),
    row("majority", "none", 0, 0.25, mode="none"),
]


def test_summary_has_the_sample_spread_and_counts_only_finite_values() -> None:
    rows = [{"k": "a", "x": 1.0}, {"k": "a", "x": 3.0}, {"k": "a", "x": math.nan}, {"k": "a"}, {"k": "b", "x": 5}]
    first, second = summarise(rows, by=("k",), values=("x",))
    assert (first["k"], first["n"], first["x_n"], first["x_mean"]) == ("a", 4, 2, 2.0)
    assert first["x_sd"] == pytest.approx(math.sqrt(2))
    assert (second["x_mean"], second["x_n"]) == (5.0, 1)
    assert math.isnan(second["x_sd"])


def test_fewshot_table_has_a_row_per_encoder_and_mode_and_a_column_per_shots() -> None:
    table = fewshot_tables([*ROWS, row("mae_faces", "faces", 0, 0.9, shots=50)])[0]
    assert table.title == "segmentation: micro"
    assert table.header == ["encoder", "mode", "5 shots", "50 shots"]
    assert table.rows[0] == ["mae_faces", "finetuned", "70.0 ± 10.0", "90.0"]
    assert table.rows[-1] == ["majority", "none", "25.0", "–"]
    assert "n = 1 to 3" in table.note


def test_a_score_nobody_has_gives_no_table() -> None:
    assert [table.title for table in fewshot_tables(ROWS)] == ["segmentation: micro", "segmentation: covered"]


def test_gain_is_paired_by_seed_against_scratch_of_the_same_kind() -> None:
    (gain,) = gains(ROWS, "segmentation", "micro")
    # differences 0.1, 0.2, 0.3: sd 0.1, t(0.975, 2) = 4.3027, half = 4.3027 * 0.1 / sqrt(3) = 0.24841
    assert (gain["encoder"], gain["against"], gain["n"]) == ("mae_faces", "scratch_faces finetuned", 3)
    assert gain["mean"] == pytest.approx(0.2)
    assert (gain["low"], gain["high"]) == pytest.approx((-0.04841, 0.44841), abs=1e-5)
    (table,) = gain_tables(ROWS)
    assert list(table.rows[0]) == ["mae_faces", "finetuned", "scratch_faces finetuned", "+20.0 [-4.8, +44.8]"]


def test_gain_leaves_out_seeds_without_a_partner_and_prefers_scratch_in_the_same_mode() -> None:
    rows = [
        row("mae_faces", "faces", 0, 0.6, mode="frozen"),
        row("mae_faces", "faces", 1, 0.6, mode="frozen"),
        row("scratch_faces", "faces", 0, 0.5),
    ]
    (gain,) = gains(rows, "segmentation", "micro")
    assert (gain["against"], gain["n"]) == ("scratch_faces finetuned", 1)
    assert math.isnan(gain["low"])
    (gain,) = gains([*rows, row("scratch_faces", "faces", 1, 0.2, mode="frozen")], "segmentation", "micro")
    assert (gain["against"], gain["mean"]) == ("scratch_faces frozen", pytest.approx(0.4))


def test_continual_table_calls_a_mode_bit_identical_only_if_every_run_was() -> None:
    def run(mode: str, accuracy: float, same: bool) -> dict:
        numbers = {"average_accuracy": accuracy, "forgetting": 0.0, "seconds": 2.0, "written": 0.3, "overlap": 0.25}
        return {"mode": mode, "bit_identical": same, **numbers}

    table = continual_table([run("exssnet", 0.8, True), run("exssnet", 0.9, True), run("ssnet", 0.8, True)])
    assert table.rows[0] == ["exssnet", "85.0 ± 7.1", "0.0 ± 0.0", "yes", "30.0", "25.0", "2"]
    table = continual_table([run("ssnet", 0.8, True), run("ssnet", 0.9, False)])
    assert table.rows[0][3] == "no"


def test_markdown_keeps_a_bar_in_a_cell_from_splitting_it() -> None:
    text = Table("t", ["a", "b"], [["x|y", "1"]], "note").markdown()
    assert text == "### t\n\n| a | b |\n| :-- | --: |\n| x\\|y | 1 |\n\nnote\n"


def test_a_broken_result_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "fewshot"
    folder.mkdir(parents=True)
    (folder / "runs.jsonl").write_text(json.dumps(ROWS[0]) + "\n{half")
    with pytest.raises(ValueError, match=r"runs\.jsonl: not valid JSON"):
        Sources.read(tmp_path / "data", tmp_path / "models", tmp_path / "results")
