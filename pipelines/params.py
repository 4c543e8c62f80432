"""`params.yaml` as the stages read it: checked whole, with every block of a method and every name of a file of ours."""

import difflib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

import brep_mae.brep.generators
import brep_mae.transfer.heads
from brep_mae import settings
from brep_mae.checks import SettingsError
from brep_mae.pretext.blocks import check_methods

PATH = Path("params.yaml")


def load(path: Path = PATH) -> settings.Params:
    """What `settings.load` reads. Raises SettingsError, before the first stage does any work."""
    params = settings.load(path)
    check_methods(params.methods, params.parse.grid, params.render.size, params.pretrain.accumulate, path.name)
    kinds = [m.name for m in pkgutil.iter_modules(brep_mae.brep.generators.__path__) if m.ispkg]
    heads = [m.name for m in pkgutil.iter_modules(brep_mae.transfer.heads.__path__)]
    _known(f"{path.name}: generate.kind", [params.generate.kind], kinds)
    _known(f"{path.name}: fewshot.heads", params.fewshot.heads, heads)
    _known(f"{path.name}: continual.encoder", [params.continual.encoder], params.methods)
    return params


def _known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in (right := sorted(known)):
            near = difflib.get_close_matches(name, right, n=1)
            raise SettingsError(f"{where} {name} is none of {', '.join(right)}" + "".join(f"; {one}?" for one in near))
