"""A method's whole network, decoder, heads and disentanglers included, beside its backbone: claims about a method's
own loss are measured on it. Weights only; what is built to hold them is said by the backbone's description."""

from pathlib import Path

from brep_mae.checkpoints.backbones import CONFIG, described
from brep_mae.checkpoints.weights import read_weights, write_weights
from brep_mae.composition.pretext import Pretext, build

WHOLE = "pretext.safetensors"


def save_pretext(folder: Path, pretext: Pretext) -> None:
    """Writes pretext.safetensors into the folder of the method's backbone. A teacher that comes from elsewhere is not
    in it: it is opened again from where it came from."""
    write_weights(folder / WHOLE, pretext.state_dict())


def load_pretext(folder: Path) -> Pretext:
    """The network as the training left it, in evaluation mode. Raises CheckpointError."""
    method, values, spec = described(folder)
    pretext = build(method, values, spec, str(folder / CONFIG))
    read_weights(folder / WHOLE, pretext)
    return pretext.eval()
