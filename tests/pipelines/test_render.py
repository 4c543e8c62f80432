"""The render stage: frames for every parsed solid, a reason for every other one, and no work done twice."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cadquery as cq
import numpy as np
import pytest

from brep_mae import settings
from brep_mae.brep.reject import Reject
from brep_mae.brep.render.pool import RenderOptions, render_file
from brep_mae.brep.workers.pool import file_key
from brep_mae.datasets.frames import open_frames
from brep_mae.datasets.lazy.listed import REJECTS, read_list
from pipelines import render

OPTIONS = RenderOptions(views=2, size=24, deadline_s=60, memory_mb=4000, split_closed=False)


class Parsed(list):
    """Stands for the shards: what the stage reads of them is uid, file and the number of faces."""

    @property
    def uids(self) -> list[str]:
        return [graph.uid for graph in self]

    def put(self, root: Path, file: str, *faces: int) -> None:
        key = file_key(root / file)
        self.extend(SimpleNamespace(uid=f"{key}#{i}", file=file, n_faces=n) for i, n in enumerate(faces))


@pytest.fixture
def parts(tmp_path) -> tuple[Path, Parsed]:
    """b/two.step holds a box and a cylinder, c.step a prism, a.step a box."""
    box, cylinder = cq.Workplane().box(3, 2, 1), cq.Workplane().circle(2).extrude(5).translate((9, 0, 0))
    two = cq.Compound.makeCompound([box.val(), cylinder.val()])
    root, parsed = tmp_path / "source", Parsed()
    (root / "b").mkdir(parents=True)
    for file, shape in (("b/two.step", two), ("c.step", cq.Workplane().polygon(5, 3).extrude(1)), ("a.step", box)):
        cq.exporters.export(shape if isinstance(shape, cq.Workplane) else cq.Workplane(shape), str(root / file))
    for file, faces in (("b/two.step", (6, 3)), ("c.step", (7,)), ("a.step", (6,))):
        parsed.put(root, file, *faces)
    return root, parsed


def here(files, options, workers):
    """`render_files` in this process."""
    for path in files:
        try:
            yield path, render_file(path, options)
        except Reject as reject:
            yield path, reject


def test_every_solid_gets_its_own_frames_from_the_workers(parts, tmp_path):
    root, parsed = parts
    report = render.render_dataset(root, parsed, tmp_path / "frames", OPTIONS, 1, tmp_path / "work")
    store = open_frames(tmp_path / "frames")
    assert store.uids == parsed.uids
    assert (report.solids, report.rejects, store.views, store.size) == (4, [], 2, 24)
    for graph in parsed:
        assert 1 < store[graph.uid][1].max() + 1 <= graph.n_faces
        assert (store[graph.uid][1] == render_file(root / graph.file, OPTIONS)[graph.uid].face).all()
    assert not list((tmp_path / "work").iterdir())


def test_what_cannot_be_drawn_is_reported_with_a_reason_and_the_rest_goes_on(parts, tmp_path, monkeypatch):
    root, parsed = parts
    monkeypatch.setattr(render, "render_files", here)
    parsed[2].n_faces = 8
    (root / "a.step").write_text("no STEP file")
    with (root / "b/two.step").open("a") as file:
        file.write("\n")
    cq.exporters.export(cq.Workplane().sphere(1).box(3, 3, 3), str(root / "d.step"))
    parsed.put(root, "d.step", 6)
    render.render_dataset(root, parsed, tmp_path / "frames", OPTIONS, 1, tmp_path / "work")
    report = json.loads((tmp_path / "frames" / "report.json").read_text())
    assert open_frames(tmp_path / "frames").uids == [parsed[4].uid]
    assert report["solids"] == 1
    assert report["reasons"] == {"internal": 1, "missing": 2, "unreadable": 1}
    rejects = read_list(tmp_path / "frames" / REJECTS, render.LEFT_OUT, "")
    assert [reject["uid"] for reject in rejects] == parsed.uids[:4] and "rejects" not in report
    assert "8 parsed" in rejects[2]["detail"] and "changed since" in rejects[0]["detail"]


def test_a_killed_run_goes_on_where_it_was_and_ends_in_the_same_bytes(parts, tmp_path, monkeypatch):
    root, parsed = parts
    asked: list[str] = []

    def until(stop):
        def run(files, options, workers):
            for path, found in here(files, options, workers):
                if path.name == stop:
                    raise KeyboardInterrupt
                asked.append(path.name)
                yield path, found

        return run

    monkeypatch.setattr(render, "render_files", until("a.step"))
    with pytest.raises(KeyboardInterrupt):
        render.render_dataset(root, parsed, tmp_path / "frames", OPTIONS, 1, tmp_path / "work")
    monkeypatch.setattr(render, "render_files", until(None))
    render.render_dataset(root, parsed, tmp_path / "frames", OPTIONS, 1, tmp_path / "work")
    assert asked == ["two.step", "c.step", "a.step"]
    render.render_dataset(root, parsed, tmp_path / "whole", OPTIONS, 1, tmp_path / "work")
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "frames" / path.name).read_bytes()


def test_other_settings_do_not_take_over_unfinished_work(parts):
    _, parsed = parts
    keys = {
        render._key(parsed, RenderOptions(views, size, 60, 4000, False)) for views, size in ((2, 24), (3, 24), (2, 32))
    }
    assert len(keys) == 3


def test_nothing_drawn_at_all_is_an_error_that_says_why(parts, tmp_path, monkeypatch):
    root, parsed = parts
    monkeypatch.setattr(
        render, "render_files", lambda files, *_: ((path, Reject("internal", "no OpenGL")) for path in files)
    )
    with pytest.raises(ValueError, match=r"none of 4 solids could be drawn.*no OpenGL"):
        render.render_dataset(root, parsed, tmp_path / "frames", OPTIONS, 1, tmp_path / "work")
    assert not (tmp_path / "frames").exists()


def test_frames_show_the_solid_where_its_file_puts_it(tmp_path):
    """Two alike boxes, one turned by its placement, look different."""
    box = cq.Workplane().box(6, 2, 1)
    assembly = cq.Assembly().add(box, name="a").add(box, name="b", loc=cq.Location((20, 0, 0), (0, 0, 1), 90))
    assembly.export(str(tmp_path / "pair.step"))
    found = render_file(tmp_path / "pair.step", OPTIONS)
    a, b = (solid.face >= 0 for solid in found.values())
    assert np.logical_xor(a, b).sum() > 50


def test_faces_that_were_cut_in_two_for_parsing_are_cut_for_drawing(tmp_path):
    """Half a cylinder's side is a face of its own: the number of a pixel's face counts as the records do."""
    cq.exporters.export(cq.Workplane().circle(2).extrude(5), str(tmp_path / "round.step"))
    [whole] = render_file(tmp_path / "round.step", OPTIONS).values()
    [cut] = render_file(tmp_path / "round.step", replace(OPTIONS, split_closed=True)).values()
    assert (whole.n_faces, cut.n_faces) == (3, 4)
    assert len(np.unique(cut.face[cut.face >= 0])) > len(np.unique(whole.face[whole.face >= 0]))


def test_the_stage_draws_as_the_solids_were_parsed(tmp_path, monkeypatch, capsys):
    params = settings.load()
    asked = []

    def drawn(root, shards, out, options, workers):
        asked.append(options)
        return render.RenderReport(1, options.views, options.size, {}, [])

    for cut in (True, False):
        parse = params.parse.model_copy(update={"split_closed": cut})
        monkeypatch.setattr(settings, "load", lambda *_, parse=parse: params.model_copy(update={"parse": parse}))
        monkeypatch.setattr(render, "opened", lambda _: SimpleNamespace(root=tmp_path))
        monkeypatch.setattr(render, "open_shards", lambda *_: [])
        monkeypatch.setattr(render, "render_dataset", drawn)
        render.main()
    assert [options.split_closed for options in asked] == [True, False]
