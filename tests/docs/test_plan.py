"""The table of what parsing costs is the one that its benchmark prints."""

from pathlib import Path

from benchmarks import plan


def test_the_page_has_the_table_of_the_benchmark() -> None:
    assert plan.table(price=0.05, batch=256) in Path("docs/scale.md").read_text()


def test_costs_follow_the_price_and_the_slopes(monkeypatch) -> None:
    monkeypatch.setattr(plan, "KINDS", {"simple": plan.Slopes(parse_s=3.6, merge_s=0.0006, kb=1000)})
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in plan.table(0.5, 100).splitlines()]
    costs = {name: cells for name, *cells in lines}
    assert costs["parse, simple parts: core-hours"] == ["100", "1,000", "10,000"]
    assert costs["its price at 0.5 a core-hour"] == ["50", "500", "5,000"]
    assert costs["shards, simple parts: GB"] == ["100", "1,000", "10,000"]
    assert costs["merge: minutes of one core"] == ["1", "10", "100"]
    assert costs["steps of an epoch, batch 100"] == ["800", "8,000", "80,000"]
