"""The search for the weights of a method's targets: every candidate, and what the best of them weighs."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brep_mae.report.figures import PALETTE
from brep_mae.report.tables import Row, Table

EQUAL = "equal"
"""Name of the candidate whose targets weigh the same."""


def split(rows: Sequence[Row]) -> tuple[list[Row], Row]:
    """The candidates of the search, and the baseline of equal weights."""
    return [row for row in rows if row["candidate"] != EQUAL], next(row for row in rows if row["candidate"] == EQUAL)


def shares(row: Row) -> dict[str, float]:
    """Weights of the targets, 1 together: a common factor means nothing to Adam."""
    total = sum(row["weights"].values())
    return {name: weight / total for name, weight in row["weights"].items()}


def weights_table(method: str, rows: Sequence[Row]) -> Table:
    """A row for every target: its weight in the best candidate, and its share of all weights."""
    tried, equal = split(rows)
    best = min(tried, key=lambda row: row["soft"])
    body = [[name, f"{best['weights'][name]:.2f}", f"{share:.2f}"] for name, share in shares(best).items()]
    note = (
        f"The best of {len(tried)} candidates, {best['candidate']}: KL of the sizes of clusters from Zipf's law "
        f"{best['soft']:.3f} (counted sizes {best['hard']:.3f}), with equal weights {equal['soft']:.3f} "
        f"({equal['hard']:.3f}); sd over the runs of k-means {equal['sd']:.3f}, which such a difference must exceed. "
        f"With equal weights each share is {1 / len(body):.2f}."
    )
    return Table(f"Weights found for {method}", ["target", "weight", "share"], body, note)


def search(rows: Sequence[Row]) -> Figure:
    """Score of every candidate in the order tried, the mean's error bars an sd over runs of k-means, and that of equal
    weights across; beside it the shares of the best candidate's weights."""
    tried, equal = split(rows)
    best = min(tried, key=lambda row: row["soft"])
    figure = Figure(figsize=(9.5, 3.4), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    for generation in sorted({row["generation"] for row in tried}):
        own = [(place, row) for place, row in enumerate(tried, 1) if row["generation"] == generation]
        places, scores, sds = zip(*((place, row["soft"], row["sd"]) for place, row in own), strict=True)
        left.errorbar(places, scores, sds, fmt="o", ms=4, color=PALETTE[generation % len(PALETTE)])
    least = [min(row["soft"] for row in tried[: count + 1]) for count in range(len(tried))]
    left.step(range(1, len(tried) + 1), least, where="post", color="black", linewidth=0.8, label="best so far")
    left.axhline(equal["soft"], color="black", linestyle="--", linewidth=0.8, label="equal weights")
    left.axhspan(equal["soft"] - equal["sd"], equal["soft"] + equal["sd"], color="black", alpha=0.08, linewidth=0)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(
        xlabel="candidate, a colour for each generation", ylabel="KL from Zipf's law, nats", title="less is better"
    )
    figure.legend(fontsize=7, loc="outside lower left", ncols=2)
    found = shares(best)
    right.barh(range(len(found)), list(found.values()), color=PALETTE[0])
    right.axvline(1 / len(found), color="black", linestyle="--", linewidth=0.8)
    right.set_yticks(range(len(found)), list(found))
    right.invert_yaxis()
    right.set(xlabel="share of all weights", title=f"candidate {best['candidate']}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure
