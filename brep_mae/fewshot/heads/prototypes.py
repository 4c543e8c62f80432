"""The nearest mean of a class, among standardised features (Snell et al. 2017, arXiv:1703.05175, without training)."""

from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brep_mae.evaluation.problem import Predictor, Problem, Rows


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    if len(set(labelled.y)) < 2:
        return lambda rows: labelled.y[:1].repeat(len(rows.y))
    means = make_pipeline(StandardScaler(), NearestCentroid()).fit(labelled.x, labelled.y)
    return lambda rows: means.predict(rows.x)
