"""The page holds everything, escapes everything, and says what is missing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from brep_mae.report import figures
from brep_mae.report.page import page
from brep_mae.report.sources import Sources
from pipelines import report

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


def face_file(path: Path, hidden: list[bool]) -> Path:
    """Two parallel unit squares."""
    u, v = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 4), indexing="ij")
    flat = [np.stack([u, v, np.full_like(u, z), *[np.zeros_like(u)] * 3, np.ones_like(u)], -1) for z in (0, 1)]
    np.savez(path, grid=np.stack(flat), predicted=np.stack(flat) * 0.9, hidden=np.array(hidden))
    return path


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
    assert "There are no few-shot results" in page(Sources(), {})


def test_a_long_list_of_rejects_is_cut_and_says_so() -> None:
    html = page(Sources(parsed={"rejects": [{"file": f"{i}.step"} for i in range(250)]}), {})
    assert "199.step" in html and "200.step" not in html
    assert "and 50 more" in html


def test_the_stage_writes_a_page_that_needs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")  # tracking has tests of its own
    for folder in ("data/parsed", "models/mae_faces", "results/fewshot", "results/continual"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/parsed/report.json").write_text('{"solids": 7, "reasons": {"timeout": 2}, "rejects": []}')
    (tmp_path / "models/mae_faces/history.jsonl").write_text("\n".join(map(json.dumps, HISTORY)))
    (tmp_path / "models/mae_faces/config.json").write_text('{"params": {"mask_ratio": 0.5}}')
    face_file(tmp_path / "models/mae_faces/reconstruction.npz", [True, False])
    (tmp_path / "results/fewshot/runs.jsonl").write_text("\n".join(map(json.dumps, FEWSHOT)))
    run = {"mode": "exssnet", "seed": 0, "average_accuracy": 0.8, "forgetting": 0.0, "bit_identical": True}
    run |= {"seconds": 1.0, "accuracy": [[0.9, None], [0.9, 0.7]]}
    (tmp_path / "results/continual/runs.jsonl").write_text(json.dumps(run) + "\n")

    report.main()

    out = tmp_path / "results/report"
    html = (out / "index.html").read_text()
    tags = parse(html)
    assert len(tags.links) == 4 and all(link.startswith("data:image/png;base64,") for link in tags.links)
    assert len(list(out.glob("*.png"))) == 4
    assert not re.search(r"https?://", html)
    assert "<td>reasons.timeout</td><td>2</td>" in html and "<td>rejects</td><td>none</td>" in html
    assert "mask_ratio 0.5" in html and "uvgrid.point 0.02" in html
    assert "| mae_faces | finetuned | 56.0 ± 7.1 | 65.0 ± 7.1 |" in (out / "fewshot.md").read_text()
    assert "| exssnet | 80.0 | 0.0 | yes | 1 |" in (out / "continual.md").read_text()


def test_reconstruction_shows_hidden_faces_left_and_right_only(tmp_path: Path) -> None:
    figure = figures.faces(face_file(tmp_path / "a.npz", [True, False]))
    assert [len(axes.collections) for axes in figure.axes] == [2, 1, 2]
    assert figure.axes[1].get_title() == "seen: 1 of 2 faces"
    figures.png(figure)  # projects
    left, right = (figure.axes[column].collections[0].get_paths()[0].vertices for column in (0, 2))
    assert not np.allclose(left, right)  # the right one is drawn from the prediction


def test_only_samples_inside_the_trimming_loops_are_drawn(tmp_path: Path) -> None:
    path = face_file(tmp_path / "a.npz", [False, True])
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["grid"][0, 2:, :, 6] = 0  # of 3 x 3 quads, the first row stays whole
    np.savez(path, **arrays)
    figure = figures.faces(path)
    figures.png(figure)  # projects
    assert len(figure.axes[1].collections[0].get_paths()) == 3


def test_a_file_of_another_kind_is_no_reconstruction_and_images_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    assert figures.reconstruction(tmp_path / "other.npz") is None
    image = np.random.default_rng(0).random((2, 8, 8, 3))
    np.savez(tmp_path / "image.npz", image=image, masked=image, predicted=image)
    figure = figures.reconstruction(tmp_path / "image.npz")
    assert figure is not None and len(figure.axes) == 6


def test_an_array_that_would_need_pickle_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", grid=np.array([{"a": 1}], dtype=object), predicted=np.zeros(1), hidden=np.zeros(1))
    with pytest.raises(ValueError, match="allow_pickle"):
        figures.reconstruction(tmp_path / "evil.npz")
