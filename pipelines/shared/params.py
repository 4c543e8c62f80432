"""`params.yaml` as the stages read it: checked whole, with every block of a method and every name of a file of ours."""

from pathlib import Path

from brep_mae import plugins, settings
from brep_mae.checks import SettingsError
from brep_mae.composition.blocks import check_methods

PATH = Path("params.yaml")


def load(path: Path = PATH) -> settings.Params:
    """What `settings.load` reads. Raises SettingsError, before the first stage does any work."""
    params = settings.load(path)
    check_methods(params.methods, params.parse.grid, params.render.size, params.pretrain.accumulate, path.name)
    plugins.require(f"{path.name}: dataset.name", plugins.ADAPTERS, [params.dataset.name])
    plugins.require(f"{path.name}: generate.kind", plugins.GENERATORS, [params.generate.kind])
    plugins.require(f"{path.name}: fewshot.heads", plugins.HEADS, params.fewshot.heads)
    for name, encoder in (("continual", params.continual.encoder), ("label_policy", params.label_policy.encoder)):
        if encoder not in params.methods:
            known = ", ".join(sorted(params.methods))
            raise SettingsError(f"{path.name}: {name}.encoder {encoder} is none of {known}")
    return params
