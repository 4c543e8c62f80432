"""A wrong `params.yaml` stops before any work and names the key."""

import pytest
import yaml

from brep_mae import settings
from brep_mae.cli.parse import parse
from brep_mae.settings import SettingsError, flat


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


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda v: v["parse"].update(gird=10), "unknown key parse.gird; did you mean grid"),
        (lambda v: v.update(fewshoot={}), "unknown key fewshoot; did you mean fewshot"),
        (lambda v: v["parse"].update(grid="ten"), "parse.grid: .*integer"),
        (lambda v: v["split"].update(test=1.5), "split: .*neither less than 1 nor a number"),
        (lambda v: v["generate"].pop("solids"), "generate.solids: Field required"),
        (lambda v: v["dataset"].update(name="mfcad"), "dataset.path is needed for dataset.name=mfcad"),
        (lambda v: v["pretrain"].update(checkpoint_every=7), "checkpoint_every must be a multiple of log_every"),
    ],
)
def test_each_mistake_is_named(edited, change, message):
    with pytest.raises(SettingsError, match=message):
        settings.load(edited(change))


def test_a_missing_file_and_broken_yaml_are_named(tmp_path):
    with pytest.raises(SettingsError, match="no such file; run from"):
        settings.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(SettingsError, match="not valid YAML"):
        settings.load(tmp_path / "params.yaml")


def test_flat_gives_dotted_keys_and_keeps_numbers():
    assert flat({"a": {"b": 1, "c": {"d": 2.5}}, "e": "x"}) == {"a.b": 1, "a.c.d": 2.5, "e": "x"}
