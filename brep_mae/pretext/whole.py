"""A method's whole network, decoder, heads and disentanglers included, beside its backbone: claims about a method's
own loss are measured on it. Weights only; what is built to hold them is said by the backbone's description."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from brep_mae import schema
from brep_mae.output_files import write_whole
from brep_mae.pretext.pretext import Facts, Pretext, build
from brep_mae.pretext.stored import CONFIG, CheckpointError

WHOLE = "pretext.safetensors"


def save_pretext(folder: Path, pretext: Pretext) -> None:
    """Writes pretext.safetensors into the folder of the method's backbone. A teacher that comes from elsewhere is not
    in it: it is opened again from where it came from."""
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in pretext.state_dict().items()}
    write_whole(folder / WHOLE, save(weights))


def load_pretext(folder: Path) -> Pretext:
    """The network as the training left it, in evaluation mode. Raises CheckpointError."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        if config["schema"] != schema.VERSION:
            raise ValueError(f"data schema {config['schema']}, this is {schema.VERSION}")
        pretext = build(config["method"], config["params"], Facts(**config["facts"]), str(folder / CONFIG))
        pretext.load_state_dict(load_file(folder / WHOLE))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{folder / WHOLE}: not the whole of a method ({error}); pretrain again") from None
    return pretext.eval()
