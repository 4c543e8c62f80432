"""One HTML page that needs nothing else: figures inside, no script, no request to anywhere."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from brep_mae.report import masks, methods, tables
from brep_mae.report.evolution import weights_table
from brep_mae.report.multilabel import multilabel_tables
from brep_mae.report.sources import Sources
from brep_mae.report.tables import Table
from brep_mae.settings import flat

MAX_ROWS = 200  # of a list from a file, so that a hundred thousand rejects do not make the page unreadable

RECONSTRUCTIONS = """<p class="note">Of held-out solids, of few, ordinary and many faces. A face that was hidden is
coloured; its predicted shape stands at its true place and in its true direction unless the method predicts those too.
A hidden patch is grey; where a method predicts standardised patches, the true mean and spread of each patch are put
back in, so that the picture shows structure, not brightness.</p>
"""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1e21; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { border-bottom: 1px solid #ccc; padding-bottom: .3rem; margin-top: 3rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; margin: .5rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #e2e2e2; text-align: right; white-space: nowrap; }
th { border-bottom: 2px solid #888; } td:first-child, th:first-child, .text td, .text th { text-align: left; }
.text td { white-space: normal; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; } figcaption, .note { color: #555; font-size: 14px; }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; }
"""


def html_table(table: Table, text: bool = False) -> str:
    """The table; `text` = True aligns every column left and wraps long cells."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    kind = ' class="text"' if text else ""
    return (
        f'<h3>{escape(table.title)}</h3><div class="wide"><table{kind}><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>{note}\n"
    )


def html_figure(png: bytes, caption: str) -> str:
    """The picture inside the page."""
    data, text = base64.b64encode(png).decode(), escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>\n'


def _cell(value: Any) -> str:
    if isinstance(value, list | dict):
        return ", ".join(map(_cell, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def described(title: str, values: Mapping[str, Any]) -> list[Table]:
    """A JSON object as tables: single values together, every list of objects as a table of its own."""
    lists = {key: value for key, value in values.items() if _is_records(value)}
    single = flat({key: value for key, value in values.items() if key not in lists})
    found = [Table(title, ["", "value"], [[key, _cell(value)] for key, value in single.items()])] if single else []
    for key, records in lists.items():
        header = list(dict.fromkeys(column for record in records for column in record))
        rows = [[_cell(record.get(column, "")) for column in header] for record in records[:MAX_ROWS]]
        more = len(records) - len(rows)
        found.append(Table(f"{title}: {key}", header, rows, f"and {more} more" if more else ""))
    return found


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(record, dict) for record in value)


def _text_tables(found: Sequence[Table], missing: str) -> str:
    return "".join(html_table(table, text=True) for table in found) or f"<p>{escape(missing)}</p>"


def _methods(sources: Sources) -> list[Table]:
    rows = []
    for method, config in sources.checkpoints.items():
        values = ", ".join(f"{key} {_cell(value)}" for key, value in flat(config.get("params", {})).items())
        held = [row for row in sources.histories.get(method, []) if row["split"] == "heldout"]
        last = ", ".join(f"{key} {_cell(value)}" for key, value in held[-1].items() if key != "split") if held else "–"
        rows.append([method, values, last])
    return [Table("Pretrained encoders", ["method", "settings", "held out, at the end"], rows)] if rows else []


def method_tables(sources: Sources) -> list[Table]:
    """All methods side by side."""
    costs = [methods.cost_table(sources.costs)] if sources.costs else []
    explained = [methods.explained_table(sources.metrics)] if sources.metrics else []
    found = [*methods.quality_tables(sources.probe, sources.fewshot), *explained, *costs]
    return methods.marked(found, sources.metrics)


def fewshot_tables(sources: Sources) -> list[Table]:
    """Every encoder with few labels, and what pretraining gains."""
    found = [*tables.fewshot_tables(sources.fewshot), *tables.gain_tables(sources.fewshot)]
    return methods.marked(found, sources.metrics)


def page(sources: Sources, pngs: Mapping[str, bytes]) -> str:
    """The whole report.

    Args:
        pngs: name -> figure as PNG. The part before the first "/" of the name is the section it goes to: "comparison",
            "methods", "evolved", "masks", "fewshot", "multilabel", "continual" or "reconstructions"; the rest is its
            caption.
    """

    def drawn(section: str) -> str:
        parts = [(name.partition("/"), png) for name, png in pngs.items()]
        return "".join(html_figure(png, caption) for (head, _, caption), png in parts if head == section)

    pictures = drawn("reconstructions")
    fewshot = fewshot_tables(sources)
    sections = {
        "Data": _text_tables(
            [*described("Data set", sources.dataset), *described("Parsing", sources.parsed)],
            "There is no description of the data: run the parse stage.",
        ),
        "All methods": drawn("comparison")
        + ("".join(map(html_table, method_tables(sources))) or "<p>Nothing to compare: run the probe stage.</p>"),
        "Each method": _text_tables(_methods(sources), "There are no pretrained encoders: run the pretrain stage.")
        + drawn("methods"),
        "Evolved weights": "".join(html_table(weights_table(*found)) for found in sources.evolved.items())
        + drawn("evolved")
        if sources.evolved
        else "<p>No weights were searched for: run the evolve stage.</p>",
        "What learned masks hide": f'<p class="note">{escape(masks.NOTE)}</p>\n'
        + "".join(html_table(masks.shares_table(*found)) for found in sources.masks.items())
        + drawn("masks")
        if sources.masks
        else "<p>No mask was learned: run the guided stage.</p>",
        "Few labels": drawn("fewshot")
        + ("".join(map(html_table, fewshot)) or "<p>There are no few-shot results: run the fewshot stage.</p>"),
        "Several labels a solid": "".join(map(html_table, multilabel_tables(sources.multilabel))) + drawn("multilabel")
        if sources.multilabel
        else "<p>There are no results with several labels a solid: run the policy stage.</p>",
        "Task after task": html_table(tables.continual_table(sources.continual)) + drawn("continual")
        if sources.continual
        else "<p>There are no continual results: run the continual stage.</p>",
        "Reconstructions": RECONSTRUCTIONS + pictures if pictures else "<p>No reconstructions were stored.</p>",
        "Reproduce": "<p>From a fresh clone, everything on this page comes from</p><pre>make repro</pre>"
        "<p>which runs <code>dvc repro</code>: the stages of <code>dvc.yaml</code> with the numbers of "
        "<code>params.yaml</code>. What is unchanged is not run again. <code>make ui</code> shows the runs.</p>",
    }
    body = "".join(f"<section><h2>{escape(title)}</h2>\n{content}</section>\n" for title, content in sections.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>brep_mae report</title><style>{STYLE}</style></head>\n"
        f"<body><h1>brep_mae: pretraining on boundary representations</h1>\n{body}</body></html>\n"
    )
