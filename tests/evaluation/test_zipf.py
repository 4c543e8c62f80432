"""ELo's acceptance checks 1, 2 and 4 (Piergiovanni et al. 2020, arXiv:2002.12177): the score that takes no labels."""

import inspect
import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import softmax

from brep_mae.evaluation.zipf import divergence, soft_sizes, zipf, zipf_score

K = 50


def test_check_1_sizes_by_zipf_score_0_in_any_order():
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert abs(divergence(1000 * rng.permutation(zipf(K)), zipf(K))) < 1e-12


def test_check_1_control_without_sorting_the_same_sizes_are_far_from_zipf():
    shares = np.random.default_rng(0).permutation(zipf(K))
    assert float(np.sum(shares * np.log(shares / zipf(K)))) > 0.5


def test_check_1_uniform_sizes_and_collapse_have_the_values_of_the_closed_form():
    law = zipf(K)
    collapsed = np.eye(K)[17]
    assert divergence(np.ones(K), law) == pytest.approx(0.56, abs=0.005)
    assert divergence(np.ones(K), law) == pytest.approx(-np.mean(np.log(K * law)))
    assert divergence(collapsed, law) == pytest.approx(1.50, abs=0.005)
    assert divergence(collapsed, law) == pytest.approx(np.log(np.sum(1 / np.arange(1, K + 1))))


def test_check_1_from_zipf_to_uniform_the_score_rises_all_the_way():
    blends = [divergence((1 - share) * zipf(K) + share / K, zipf(K)) for share in np.linspace(0, 1, 11)]
    assert all(a < b for a, b in pairwise(blends))


def clusters(sizes: np.ndarray, seed: int = 0, spread: float = 0.3) -> np.ndarray:
    """Gaussians of these sizes about far-off centres. (N, 8)"""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(sizes), 8)) * 4
    return np.concatenate([c + spread * rng.normal(size=(n, 8)) for c, n in zip(centres, sizes, strict=True)])


ZIPF = clusters(np.maximum(1, np.round(600 * zipf(12))).astype(int))
UNIFORM = clusters(np.full(12, 50))


def test_check_2_clusters_by_zipf_score_better_than_clusters_of_one_size():
    by_zipf, uniform = (zipf_score(x, 12, 5, 0) for x in (ZIPF, UNIFORM))
    assert by_zipf.soft < uniform.soft - 0.1 and by_zipf.hard < uniform.hard - 0.1


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_check_2_the_scale_of_the_features_changes_nothing(factor):
    plain, scaled = zipf_score(ZIPF, 12, 3, 0), zipf_score(factor * ZIPF, 12, 3, 0)
    assert scaled.soft == pytest.approx(plain.soft, abs=1e-6) and scaled.hard == pytest.approx(plain.hard, abs=1e-6)


def test_check_2_control_with_the_papers_unit_variance_rescaling_wins():
    scores = [zipf_score(factor * ZIPF, 12, 3, 0, "raw").soft for factor in (0.01, 0.1, 1.0)]
    assert scores[0] == pytest.approx(divergence(np.ones(12), zipf(12)), abs=0.01), "all clusters look alike"
    assert scores[0] - scores[1] > 0.01 and scores[1] - scores[2] > 0.01


def test_the_soft_assignment_is_that_of_the_definition():
    x, centres = ZIPF[:40], ZIPF[::100]
    squared = cdist(x, centres) ** 2
    assert soft_sizes(x, centres, "raw") == pytest.approx(softmax(-squared, axis=1).mean(0)[_order(centres)])
    within = squared.min(1).mean()
    assert soft_sizes(x, centres, "within") == pytest.approx(
        softmax(-squared / within, axis=1).mean(0)[_order(centres)]
    )


def _order(centres: np.ndarray) -> np.ndarray:
    """Sizes come in the order of the sorted centres."""
    return np.lexsort(centres.T[::-1])


def test_embeddings_that_are_all_alike_are_a_collapse_and_not_uniform_clusters():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = zipf_score(np.ones((200, 4)), K, 3, 0)
    assert score.soft == pytest.approx(divergence(np.eye(K)[0], zipf(K)))
    assert score.hard == pytest.approx(score.soft)


def test_every_run_of_k_means_counts_and_the_same_seed_gives_the_same_bits():
    three = [zipf_score(UNIFORM, 7, 1, seed).soft for seed in (4, 5, 6)]
    assert len(set(three)) == 3, "k-means is noisy, so that one run is not enough"
    together = zipf_score(UNIFORM, 7, 3, 4)
    assert together.soft == pytest.approx(np.mean(three), abs=1e-12) and together.sd == pytest.approx(np.std(three))
    assert zipf_score(UNIFORM, 7, 3, 4) == together


def test_check_4_nothing_but_embeddings_and_numbers_can_be_handed_over():
    parameters = list(inspect.signature(zipf_score).parameters)
    assert parameters == ["embeddings", "clusters", "restarts", "seed", "scale", "exponent"]


def test_fewer_embeddings_than_clusters_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="11 embeddings do not fill 12 clusters: embed more, or ask for fewer"):
        zipf_score(np.zeros((11, 4)), 12, 3, 0)
