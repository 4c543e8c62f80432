"""The page holds everything, escapes everything, and says what is missing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, write_list
from brep_mae.report.page import page
from brep_mae.report.sources import Sources
from pipelines import report
from tests.report.stored_faces import face_file

FEWSHOT = [
    {"task": "segmentation", "encoder": encoder, "kind": kind, "mode": "finetuned", "shots": shots, "seed": seed}
    | {"micro": 0.5 + 0.01 * shots + 0.1 * seed}
    for encoder, kind in (("mae_faces", "faces"), ("scratch_faces", "faces"))
    for shots in (1, 10)
    for seed in (0, 1)
]
HISTORY = [
    {"step": step, "split": split, "loss": 1 / step, "uvgrid.point": 2 / step}
    for step in (50, 100)
    for split in ("train", "heldout")
]

PROBES = [
    {"method": "mae_faces", "step": step, "task": "segmentation", "probe": "linear", "score": score}
    for step, score in ((0, 0.4), (100, 0.6))
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.attributes |= {key for key, _ in attrs}
        self.links += [value or "" for key, value in attrs if key in ("src", "href", "srcset", "action")]


def parse(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def test_text_from_files_is_escaped() -> None:
    evil = '"onload="x<script>alert(1)</script>.step'
    sources = Sources(
        dataset={"name": evil, "licence": "&amp;"},
        parsed={"solids": 3, "rejects": [{"file": evil, "reason": "timeout"}]},
        checkpoints={evil: {"params": {evil: 1}}},
    )
    html = page(sources, {f"fewshot/{evil}": b"png"})
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;.step") >= 5
    assert "script" not in parse(html).open
    assert "onload" not in parse(html).attributes
    assert "&amp;amp;" in html
    assert "<td>timeout</td>" in html


def test_missing_results_are_said_with_the_stage_that_makes_them() -> None:
    html = page(Sources(fewshot=FEWSHOT), {})
    assert "There are no continual results: run the continual stage." in html
    assert "There are no pretrained encoders: run the pretrain stage." in html
    assert "There are no few-shot results" not in html
    assert "run the probe stage" in page(Sources(), {}) and "No reconstructions were stored" in html
    assert "There are no few-shot results" in page(Sources(), {})


def test_a_long_list_of_rejects_is_cut_and_says_so() -> None:
    html = page(Sources(parsed={"rejects": [{"file": f"{i}.step"} for i in range(250)]}), {})
    assert "199.step" in html and "200.step" not in html
    assert "and 50 more" in html


def test_the_stage_writes_a_page_that_needs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")  # tracking has tests of its own
    for folder in ("data/parsed", "models/mae_faces", "results/probe", "results/fewshot", "results/continual"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/parsed/report.json").write_text('{"solids": 7, "reasons": {"timeout": 2}}')
    rejects = [{"file": f"{name}.step", "solid": None, "reason": "timeout", "detail": "60 s"} for name in "ab"]
    write_list(tmp_path / "data/parsed" / REJECTS, rejects, LEFT_OUT)
    (tmp_path / "models/mae_faces/history.jsonl").write_text("\n".join(map(json.dumps, HISTORY)))
    (tmp_path / "models/mae_faces/config.json").write_text('{"params": {"mask_ratio": 0.5}}')
    (tmp_path / "models/mae_faces/cost.json").write_text('{"samples_per_s": 123.4, "parameters": 98765}')
    face_file(tmp_path / "models/mae_faces/reconstruction_faces.npz", [True, False])
    (tmp_path / "results/probe/curves.jsonl").write_text("\n".join(map(json.dumps, PROBES)))
    (tmp_path / "results/fewshot/runs.jsonl").write_text("\n".join(map(json.dumps, FEWSHOT)))
    run = {"mode": "exssnet", "seed": 0, "average_accuracy": 0.8, "forgetting": 0.0, "bit_identical": True}
    run |= {"seconds": 1.0, "accuracy": [[0.9, None], [0.9, 0.7]], "written": 0.3, "overlap": 0.25}
    run |= {"used": {"embed.weight": 0.4, "classifier.weight": 0.2}}
    (tmp_path / "results/continual/runs.jsonl").write_text(json.dumps(run) + "\n")

    report.main()

    out = tmp_path / "results/report"
    html = (out / "index.html").read_text()
    tags = parse(html)
    assert len(tags.links) == 6 and all(link.startswith("data:image/png;base64,") for link in tags.links)
    assert {path.stem for path in out.glob("*.png")} == {
        "comparison_all_methods",
        "fewshot_segmentation_micro",
        "methods_mae_faces",
        "continual_accuracy_after_each_task",
        "continual_capacity",
        "reconstructions_mae_faces_reconstruction_faces",
    }
    assert not re.search(r"https?://", html)
    assert "<td>reasons.timeout</td><td>2</td>" in html and "<td>b.step</td>" in html
    assert "mask_ratio 0.5" in html and "uvgrid.point 0.02" in html
    assert "| mae_faces | finetuned | 56.0 ± 7.1 | 65.0 ± 7.1 |" in (out / "fewshot.md").read_text()
    methods = (out / "methods.md").read_text()
    assert "| mae_faces | 60.0 (+20.0) | – | 56.0 ± 7.1 | 65.0 ± 7.1 |" in methods
    assert "| mae_faces | 123 | 98,765 |" in methods and "98,765</td>" in html
    assert "| exssnet | 80.0 | 0.0 | yes | 30.0 | 25.0 | 1 |" in (out / "continual.md").read_text()
