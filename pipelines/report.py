"""Stage `report`: result files to tables, figures and one HTML page."""

import re
from pathlib import Path

from matplotlib.figure import Figure

from brep_mae.output.folder import output_folder
from brep_mae.report import figures, tables
from brep_mae.report.comparison import comparison, method_curves
from brep_mae.report.drawings import reconstruction
from brep_mae.report.evolution import search, weights_table
from brep_mae.report.masks import mask_figure, shares_table
from brep_mae.report.methods import marked_rows
from brep_mae.report.multilabel import multilabel_tables, policy_figure
from brep_mae.report.page import fewshot_tables, method_tables, page
from brep_mae.report.sources import Sources
from brep_mae.tracking import tracking
from pipelines.shared.stage import run_stage


def draw(sources: Sources) -> dict[str, Figure]:
    """Every figure there are results for, named "section/caption" as the page wants them."""
    drawn: dict[str, Figure] = {}
    fewshot = marked_rows(sources.fewshot, "encoder", sources.metrics)
    if sources.probe or sources.fewshot:
        drawn["comparison/all methods"] = comparison(marked_rows(sources.probe, "method", sources.metrics), fewshot)
    for task in dict.fromkeys(row["task"] for row in sources.fewshot):
        for score in tables.SCORES:
            if any(row["task"] == task and score in row for row in sources.fewshot):
                drawn[f"fewshot/{task} {score}"] = figures.fewshot_curves(fewshot, task, score)
    for method, rows in sources.histories.items():
        probes = [row for row in sources.probe if row["method"] == method]
        if probes or any(row["split"] == "heldout" for row in rows):
            drawn[f"methods/{method}"] = method_curves(rows, probes)
    for method, rows in sources.evolved.items():
        drawn[f"evolved/{method}"] = search(rows)
    if sources.multilabel:
        drawn["multilabel/what the policy sets"] = policy_figure(sources.multilabel)
    if sources.continual:
        drawn["continual/accuracy after each task"] = figures.continual_matrices(sources.continual)
        if masked := [row for row in sources.continual if any(row["used"].values())]:
            drawn["continual/capacity"] = figures.continual_capacity(masked)
    for method, path in sources.masks.items():
        drawn[f"masks/{method}"] = mask_figure(path)
    for name, path in sources.pictures.items():
        drawn[f"reconstructions/{name}"] = reconstruction(path)
    return drawn


def main(root: Path = Path(".")) -> None:
    """Reads data/parsed, models and results; writes results/report."""
    sources = Sources.read(root / "data", root / "models", root / "results")
    out = root / "results" / "report"
    continual = [tables.continual_table(sources.continual)] if sources.continual else []
    evolved = [weights_table(method, rows) for method, rows in sources.evolved.items()]
    multilabel = multilabel_tables(sources.multilabel) if sources.multilabel else []
    sections = {
        "methods": method_tables(sources),
        "evolved": evolved,
        "fewshot": fewshot_tables(sources),
        "masks": [shares_table(method, path) for method, path in sources.masks.items()],
        "multilabel": multilabel,
        "continual": continual,
    }
    with output_folder(out) as claim, tracking.run("report", "report", {}, description=__doc__) as tracker:
        with claim.filled() as new:
            for name, found in sections.items():
                text = "\n".join(table.markdown() for table in found) or f"No {name} results.\n"
                (new / f"{name}.md").write_text(text)
            pngs = {name: figures.png(figure) for name, figure in draw(sources).items()}
            (new / "index.html").write_text(page(sources, pngs))
            for name, png in pngs.items():
                (new / (re.sub(r"[^\w\-]+", "_", name) + ".png")).write_bytes(png)
            files = sorted(new.iterdir())
        for row in tables.summarise(sources.fewshot, ("task", "encoder", "mode", "shots"), tuple(tables.SCORES)):
            names = {score: f"{row['task']}/{row['encoder']}/{row['mode']}/{score}" for score in tables.SCORES}
            means = {names[score]: row[f"{score}_mean"] for score in tables.SCORES if row[f"{score}_n"]}
            tracker.log_metrics(means, step=row["shots"])
        for path in files:
            tracker.log_file(out / path.name, "figures" if path.suffix == ".png" else "")


if __name__ == "__main__":
    run_stage(main)
