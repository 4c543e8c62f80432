"""What has read labels says so in every table and figure."""

from brep_mae.report.methods import marked
from brep_mae.report.page import fewshot_tables, method_tables
from brep_mae.report.sources import Sources
from brep_mae.report.tables import Table
from pipelines.report import draw

ROW = {"encoder": "guided", "kind": "guided", "mode": "finetuned", "shots": 1, "seed": 0, "task": "t"}
SCORES = {"micro": 0.5, "per_part": 0.5, "miou": 0.5, "covered": 0.5, "ceiling": 1.0}
SOURCES = Sources(
    probe=[{"method": "guided", "step": 0, "task": "t", "probe": "linear", "score": 0.5}],
    fewshot=[ROW | SCORES],
    metrics={"guided": {"guided_by_labels": True, "heldout": {"r2/pixels.pixels": 0.5}}},
    costs={"guided": {"minutes": 1.0}},
)


def test_a_method_whose_pretraining_read_labels_says_so_and_no_other():
    metrics = {"guided": {"guided_by_labels": True}, "blind": {"guided_by_labels": False}, "older": {}}
    table = Table("T", ["method", "score"], [[name, "1"] for name in (*metrics, "scratch_guided")])
    (found,) = marked([table], metrics)
    assert [row[0] for row in found.rows] == ["guided (guided by labels)", "blind", "older", "scratch_guided"]


def test_every_table_of_methods_says_so():
    found = [*method_tables(SOURCES), *fewshot_tables(SOURCES)]
    names = {cells[0] for table in found for cells in table.rows} - {"all encoders"}
    assert len(found) >= 4 and names == {"guided (guided by labels)"}


def test_every_figure_that_compares_methods_says_so():
    drawn = draw(SOURCES)
    names = [label.get_text() for label in drawn["comparison/all methods"].axes[0].get_yticklabels()]
    curves = drawn["fewshot/t micro"].axes[0].get_legend_handles_labels()[1]
    assert names == curves == ["guided (guided by labels)"]
