"""Tables of the transfer study: means, gains, the ceiling, what others published."""

from pipelines.studies.transfer import plan, tables


def row(arm: str, seed: int, micro: float, target: str = "here", shots: int = 3) -> dict:
    values = {"encoder": arm, "target": target, "shots": shots, "seed": seed, "task": "segmentation"}
    return values | {"micro": micro, "ceiling": 0.9 + 0.01 * seed, "miou": micro / 2, "per_part": micro}


ROWS = [
    *(row("base", seed, value) for seed, value in enumerate((0.5, 0.5, 0.6))),
    *(row("better", seed, value) for seed, value in enumerate((0.6, 0.7, 0.9))),
    row("base", 0, 0.55, shots=10),
    row("better", 7, 0.99, shots=10),
    row("base", 0, 0.2, target="there"),
    row("elsewhere", 0, 0.1, target="nowhere"),
]


def about(**changed) -> plan.TableParams:
    return plan.TableParams(**{"title": "T", "targets": ["here"], "arms": ["base", "better", "absent"]} | changed)


def test_a_table_holds_means_spreads_and_what_the_labels_allow():
    """Mean 16/30, sd 0.0577 and mean 22/30, sd 0.1528; the ceiling is that of all draws, whoever met them."""
    table = tables.table(about(published={"They": {3: 0.812}}, note="N"), ROWS)
    assert table.header == ["", "3 shots", "10 shots"] and (table.title, table.note) == ("T", "N")
    names, three, ten = zip(*table.rows, strict=True)
    assert names == ("base", "better", "absent", "ceiling", "They")
    assert three == ("53.33 ± 5.77", "73.33 ± 15.28", "–", "91.00 ± 1.00", "81.20")
    assert ten == ("55.00", "99.00", "–", "93.50 ± 4.95", "–")


def test_the_mean_over_seeds_is_of_surface_types_that_all_of_them_held_out():
    seeds = [{"r2": {"plane": 0.5, "cone": 0.1}}, {"r2": {"plane": 0.7, "torus": 0.3}}]
    for values in (seeds, seeds[::-1]):
        assert tables.mean_of(values) == {"r2": {"plane": 0.6}}


def test_several_targets_stand_side_by_side_in_the_order_asked_for():
    table = tables.table(about(targets=["there", "here"], arms=["base"]), ROWS)
    assert table.header == ["", "there, 3 shots", "here, 3 shots", "here, 10 shots"]
    few = tables.table(about(targets=["there", "here"], arms=["base"], shots=[3]), ROWS)
    assert few.header == table.header[:3]
    assert table.rows[0] == ["base", "20.00", "53.33 ± 5.77", "55.00"]


def test_gains_are_paired_by_seed_with_an_interval():
    """Differences 0.1, 0.2, 0.3: half is 4.3027 * 0.1 / sqrt(3); at 10 shots no seed is shared."""
    for rows in (ROWS, ROWS[::-1]):
        table = tables.table(about(arms=["better", "absent"], against="base"), rows)
        assert table.rows == [["better", "+20.0 [-4.8, +44.8]", "–"], ["absent", "–", "–"]]


def test_every_arm_may_be_compared_with_one_of_its_own():
    against = {"better": "base", "base": "absent"}
    table = tables.table(about(arms=["base", "better"], against=against, shots=[3]), ROWS)
    assert table.rows == [["base", "–"], ["better", "+20.0 [-4.8, +44.8]"]]


def test_gains_over_another_target_are_paired_by_arm_and_seed():
    """Only seed 0 of `base` was scored there: 0.2 - 0.5."""
    table = tables.table(about(targets=["there"], arms=["base", "better"], minus=["here"]), ROWS)
    assert table.rows == [["base", "-30.0"], ["better", "–"]]
    other = tables.table(about(targets=["there"], arms=["base"], minus=["here"], against="better"), ROWS)
    assert other.rows == [["base", "-40.0"]]


def test_another_score_has_no_ceiling():
    table = tables.table(about(arms=["base"], score="miou"), ROWS)
    assert table.rows == [["base", "26.67 ± 2.89", "27.50"]]
    took = tables.table(about(arms=["base"], score="seconds"), [r | {"seconds": 2.25} for r in ROWS])
    assert took.rows == [["base", "2.2", "2.2"]]


def test_metrics_leave_out_what_is_not_a_number():
    found = tables.metrics(ROWS)["here"]["better"]
    known = {"micro_mean": 0.7333, "micro_sd": 0.1528, "miou_mean": 0.3667, "miou_sd": 0.0764}
    assert found["3"] == known | {"per_part_mean": 0.7333, "per_part_sd": 0.1528, "n": 3}
    assert set(found["10"]) == {"micro_mean", "miou_mean", "per_part_mean", "n"}
