"""Stage label: the labels of the data set, joined to the parsed solids, and a report of those that fit none."""

from brep_mae.datasets.labelling.join import join_labels
from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, read_list
from brep_mae.datasets.shards import open_shards
from brep_mae.output.folder import output_folder
from pipelines.shared.dataset import opened
from pipelines.shared.params import load
from pipelines.shared.places import LABELS, PARSED
from pipelines.shared.stage import run_stage


def main() -> None:
    source = opened(load().dataset)
    rejects = read_list(PARSED / REJECTS, LEFT_OUT, "run the parse stage again")
    with output_folder(LABELS) as claim, claim.filled() as new:
        report = join_labels(source, open_shards(PARSED), rejects, new)
    print(report)
    for line in report.lines():
        print(f"not used: {line}")


if __name__ == "__main__":
    run_stage(main)
