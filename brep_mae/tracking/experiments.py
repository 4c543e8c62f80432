"""Experiments: runs of one kind, which are compared with one another and with no others."""

KINDS = {
    "pretrain": "One run for each pretraining: settings, losses and R2 on what is held out, pictures, the encoder.",
    "probe": "Frozen features at every snapshot of every pretraining; a nested run for each method.",
    "fewshot": "Few labels: a nested run for each encoder, number of labelled solids and draw.",
    "continual": "Tasks one after another; a nested run for each way to learn them and seed.",
    "policy": "Which classes a solid shows; a nested run for each rule and seed.",
    "evolve": "Search for the weights of losses; a nested run for each candidate.",
    "claims": "What papers promise of their methods, measured.",
    "report": "Tables and figures of a whole graph.",
    "fit": "Models that users fitted to their own labels.",
}
"""Kind of stage -> what its runs are. A study brings a kind of its own, by the name of its folder."""

DESCRIPTION = "mlflow.note.content"
"""Tag that MLflow's pages show as the description of a run or an experiment."""

PARENT = "mlflow.parentRunId"
"""Tag of a nested run: the run that it belongs to, under which MLflow's pages fold it away."""


def experiment_name(kind: str) -> str:
    """As MLflow's pages list it."""
    return f"brep_mae/{kind}"
