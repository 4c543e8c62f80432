"""Settings of a pretraining outside of the default graph: those that this package comes with, and what one file says
otherwise."""

from pathlib import Path
from typing import Any

from brep_mae import settings
from brep_mae.checks import SettingsError, check, read_yaml

DEFAULTS = Path(settings.__file__).with_name("params.yaml")
"""The settings that this package comes with; in the repository a link to those of the default graph."""
LEVELS = 3
"""`methods`, a method, a key of its block: below that what is named replaces all that was there."""


def presets(config: Path | None) -> settings.Params:
    """The settings of the package, but for the keys that the file `config` names, in the form of params.yaml.

    Raises SettingsError, whose message names the file and the key.
    """
    values = read_yaml(DEFAULTS)
    if config is None:
        return check(settings.Params, values, DEFAULTS.name)
    own = read_yaml(config)
    if not isinstance(own, dict):
        raise SettingsError(f"{config}: holds no keys; write it like params.yaml, such as pretrain: {{log_every: 10}}")
    return check(settings.Params, _replaced(values, own, LEVELS), str(config))


def _replaced(values: Any, own: Any, levels: int) -> Any:
    if not levels or not isinstance(values, dict) or not isinstance(own, dict):
        return own
    return values | {key: _replaced(values.get(key), value, levels - 1) for key, value in own.items()}
