"""A wrong `params.yaml` stops before any work and names the key."""

import importlib
import re

import pytest
import timm
import torch
import yaml

from brep_mae import settings
from brep_mae.checks import SettingsError, check, read_yaml
from brep_mae.cli.parse import parse
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.settings import SIZES, SizeParams, flat
from pipelines.shared import params


@pytest.fixture
def edited(tmp_path):
    def edit(change):
        values = yaml.safe_load(open("params.yaml"))
        change(values)
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return edit


def test_the_shipped_file_is_right():
    assert settings.load().dataset.name == "generated"


def test_what_the_command_line_parses_by_default_fits_the_encoders_of_the_shipped_file():
    params = settings.load().parse
    assert params == settings.ParseParams()
    options = {option.name: option.default for option in parse.params}
    for option, name in {"deadline": "deadline_s", "memory": "memory_mb"}.items():
        options[name] = options.pop(option)
    for name in ("grid", "field_pool", "field_samples", "deadline_s", "memory_mb"):
        assert options[name] == getattr(params, name)


def method(name, **changed):
    return lambda v: v["methods"][name].update(changed)


MISTAKES = [
    (lambda v: v["parse"].update(gird=10), "unknown key parse.gird; did you mean grid"),
    (lambda v: v["parse"].update(flavour=10), "unknown key parse.flavour; known are grid, field_pool"),
    (lambda v: v.update(fewshoot={}), "unknown key fewshoot; did you mean fewshot"),
    (lambda v: v["parse"].update(grid="ten"), 'parse.grid must be a whole number, not "ten"'),
    (lambda v: v["parse"].update(grid=True), "parse.grid must be a whole number, not true"),
    (lambda v: v["parse"].update(grid=8.5), r"parse.grid must be a whole number, not 8\.5"),
    (lambda v: v["parse"].update(grid=1), "parse.grid must be at least 4, not 1"),
    (lambda v: v["parse"].update(grid=65), "parse.grid must be at most 64, not 65"),
    (lambda v: v["parse"].update(curvature=1), "parse.curvature must be true or false, not 1"),
    (lambda v: v["parse"].update(deadline_s=float("nan")), "parse.deadline_s must be a finite number, not NaN"),
    (
        lambda v: v["pretrain"].update(clip_norm=float("inf")),
        "clip_norm must be a finite number, not Infinity",
    ),
    (lambda v: v["pretrain"].update(warmup="x"), 'pretrain.warmup must be a number, not "x"'),
    (lambda v: v["pretrain"].update(seed=-1), "pretrain.seed must be at least 0, not -1"),
    (lambda v: v["pretrain"].update(warmup=1.0), r"pretrain.warmup must be less than 1, not 1\.0"),
    (lambda v: v["pretrain"].update(precision="fp8"), "pretrain.precision must be 'fp32' or 'bf16', not \"fp8\""),
    (lambda v: v["generate"].update(kind=3), "generate.kind must be text, not 3"),
    (lambda v: v["generate"].pop("solids"), "generate.solids is missing"),
    (lambda v: v["fewshot"].update(shots=10), r"fewshot.shots must be a list, such as \[1, 10\], not 10"),
    (lambda v: v["fewshot"].update(shots=[1, -10]), "fewshot.shots.1 must be more than 0, not -10"),
    (lambda v: v["fewshot"].update(shots=[]), "fewshot.shots must be a list of at least 1"),
    (lambda v: v.update(render=None), "render must be a block of keys, not null"),
    (lambda v: v["methods"].update(st_mae=3), "methods.st_mae must be a block of keys, not 3"),
    (lambda v: v["split"].update(test=1.5), "split: .*neither less than 1 nor a number"),
    (lambda v: v["split"].update(validation=0.5, test=0.5), "split: .*leave nothing to train on"),
    (lambda v: v["dataset"].update(name="mfcad"), "dataset.path is needed for dataset.name=mfcad"),
    (lambda v: v["pretrain"].update(checkpoint_every=7), "checkpoint_every must be a multiple of log_every"),
]

MISTAKES_OF_METHODS = [
    (method("m3ae", stesp=3), "methods.m3ae: unknown key stesp; did you mean steps"),
    (method("m3ae", steps=0), "methods.m3ae: steps must be more than 0, not 0"),
    (method("dbot_faces", batch=-1), "methods.dbot_faces: batch must be more than 0, not -1"),
    (method("hybrid", lr=float("nan")), "methods.hybrid: lr must be a finite number, not NaN"),
    (method("hybrid", size={"dim": -64, "depth": 3, "heads": 4}), "methods.hybrid: size.dim must be more than 0"),
    (method("hybrid", size={"dim": 62, "depth": 3, "heads": 4}), "methods.hybrid: size: dim 62 is not a multiple"),
    (method("hybrid", size="huge"), "methods.hybrid: size: no size huge; give dim, .* one of tiny, small, base"),
    (method("maskdistill_faces", size={"dim": 64, "depth": 3, "haeds": 4}), "unknown key size.haeds"),
    (method("maskdistill_faces", size={"dim": 0, "depth": 3, "heads": 4}), "faces: size.dim must be more than 0"),
    (method("m3ae", mask_ratios={"face": 0.75, "pacth": 0.5}), "unknown key mask_ratios.pacth"),
    (method("mae_faces", mask_ratio=1.0), "methods.mae_faces: mask_ratio must be less than 1"),
    (method("mixmask", network={"channels": [16], "layers": [1] * 4, "bottleneck": False, "stride": 8}), "at least 4"),
    (method("mae_images", patch=7), "methods.mae_images: frames of 64 pixels do not divide into patches of 7"),
    (
        method("mae_faces", weights={"uvgrid.piont": 1.0}),
        "unknown term uvgrid.piont; known are uvgrid.point",
    ),
    (
        method("hybrid_pure", weights={"surface.grid": 1.0}),
        "weights: unknown term surface.grid; known are",
    ),
    (
        method("i_mae", weights={"pixels.pixels": 1.0}),
        "unknown term pixels.pixels; known are pixels.sub",
    ),
    (method("st_mae", weights={"pixels.pixels": -1.0}), "methods.st_mae: weights.pixels.pixels must be at least 0"),
    (method("st_mae", teacher={}), "methods.st_mae: unknown key teacher"),
    (method("dbot_faces", teacher={"source": "checkpoint", "reads": "frames"}), "needs path and dim"),
    (lambda v: v["methods"].update(mae={}), "params.yaml: no method mae; known are attribute_masking"),
    (lambda v: v["pretrain"].update(accumulate=3), "methods.m3ae: batch 32 is not a multiple of pretrain.accumulate 3"),
    (
        lambda v: v["generate"].update(kind="machinned"),
        "generate.kind: no generator machinned; known are .*; machined?",
    ),
    (lambda v: v["fewshot"].update(heads=["frozenn"]), "fewshot.heads: no head frozenn; known are .*; frozen?"),
    (lambda v: v["continual"].update(encoder="mae"), "continual.encoder mae is none of attribute_masking"),
]


@pytest.mark.parametrize(
    "load, change, message",
    [(settings.load, *mistake) for mistake in MISTAKES] + [(params.load, *mistake) for mistake in MISTAKES_OF_METHODS],
)
def test_each_mistake_is_named_in_words_of_our_own(edited, load, change, message):
    with pytest.raises(SettingsError, match=message) as raised:
        load(edited(change))
    lines = str(raised.value).splitlines()
    assert all(line.startswith("params.yaml: ") for line in lines)
    assert not re.search("pydantic|Input|valid |http|required|permitted|something else", str(raised.value))


@pytest.mark.parametrize("name", ["mae_faces", "mae_images", "maskdistill_faces", "st_mae"])
def test_a_size_may_be_a_name_for_faces_and_images_alike(edited, name):
    block = params.load(edited(method(name, size="tiny"))).methods[name]
    with torch.device("meta"):
        encoder = build(name, block, DataSpec(8, 64)).encoder
    assert (encoder.dim, len(encoder.stack.blocks), encoder.stack.blocks[0].attn.num_heads) == (192, 12, 3)
    named = {name: check(SizeParams, name, "") for name in SIZES}
    shapes = {name: (size.dim, size.depth, size.heads) for name, size in named.items()}
    wanted = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
    assert shapes == wanted


@pytest.mark.parametrize("size", SIZES)
def test_a_size_has_the_weights_of_the_vision_transformer_of_its_name(edited, size):
    """timm's, with the class token's position besides, which ours does not learn, and a head of no classes."""
    blocks = params.load(edited(method("mae_images", size=size, patch=16))).methods
    with torch.device("meta"):
        known = timm.create_model(f"vit_{size}_patch16_224", num_classes=0)
        images, faces = (build(name, blocks[name] | {"size": size}, DataSpec(8, 224)) for name in FACES_AND_IMAGES)
    for stack in (images.encoder.stack, faces.encoder.stack):
        assert count(stack.blocks) == count(known.blocks) and count(stack.norm) == count(known.norm)
    assert count(images.backbone()) == count(known) - known.pos_embed.numel()


FACES_AND_IMAGES = ("mae_images", "mae_faces")


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_the_shipped_methods_are_right():
    assert params.load().methods == settings.load().methods


def test_every_mistake_in_a_file_is_told_at_once(edited):
    def change(v):
        v["methods"]["m3ae"]["steps"] = v["methods"]["st_mae"]["lr"] = 0

    with pytest.raises(SettingsError, match=r"(?s)m3ae: steps must be .*st_mae: lr must be"):
        params.load(edited(change))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a: [", "params.yaml: line 1: not valid YAML"),
        (b"", "holds no settings"),
        (b"# only a comment\n", "holds no settings"),
        (b"- 1\n", r"params.yaml: the whole block must be a block of keys, not \[1\]"),
        (b"a: 1\nb: {c: 1, d: 2, c: 3}\n", "line 2: not valid YAML: c stands here twice"),
        (b"parse:\n  grid: 8\n  field_pool: 600\n  grid: 16\n", "line 4: not valid YAML: grid stands here twice"),
        (b"name: Stra\xdfe\n", "byte 10 is not UTF-8; save it as UTF-8 text"),
        (b"[" * 5000, "not valid YAML"),
        (b"a: !!python/object/apply:os.system [true]\n", "line 1: not valid YAML"),
        (b"? [1, 2]\n: 3\n", "params.yaml"),
    ],
)
def test_a_file_that_is_no_block_of_settings_is_named(tmp_path, content, message):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        settings.load(tmp_path / "params.yaml")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(SettingsError, match="no such file; run from"):
        settings.load(tmp_path / "params.yaml")
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load(tmp_path)


def test_numbers_and_merges_are_read_as_dvc_reads_them(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1e-3, y: -2E5}\nb: {<<: *a, y: 1.5e2}\nc: 1e\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"x": 0.001, "y": -2e5}, "b": {"x": 0.001, "y": 150.0}, "c": "1e"}


@pytest.mark.parametrize("stage", ["generate", "parse", "label", "render", "pretrain", "probe", "fewshot", "continual"])
def test_a_typo_in_any_method_stops_every_stage_before_it_works(edited, tmp_path, monkeypatch, stage):
    edited(method("i_mae", stesp=3))
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"pipelines.{stage}")
    with pytest.raises(SettingsError, match=r"methods\.i_mae: unknown key stesp"):
        module.main(*["mae_faces"] * (stage == "pretrain"))
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_flat_gives_dotted_keys_and_keeps_numbers():
    assert flat({"a": {"b": 1, "c": {"d": 2.5}}, "e": "x"}) == {"a.b": 1, "a.c.d": 2.5, "e": "x"}
