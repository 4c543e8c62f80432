"""A pretrained encoder as a file for other programs: torch.export, ONNX, or weights of timm's vision transformer."""

import io
import warnings
from pathlib import Path

import torch
from safetensors.torch import save

from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.models.exportable import ImageEncoder, exportable
from brep_mae.output.files import whole_file, write_whole, written

SUFFIXES = (".pt2", ".onnx", ".safetensors")


def export(encoder: Path, out: Path) -> None:
    """Writes the encoder of a checkpoint folder, as the suffix of `out` says.

    `.pt2` for `torch.export.load`, `.onnx` for any ONNX runtime: a function of plain tensors, see `models.exportable`.
    `.safetensors`: weights of timm's `VisionTransformer`, of image encoders alone.

    Raises:
        CheckpointError: the encoder cannot be exported so; with the reason and the remedy.
        OutputError: the file cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise CheckpointError(f"{out}: unknown suffix {out.suffix!r}; name a file that ends in {', '.join(SUFFIXES)}")
    module = exportable(load_backbone(encoder))
    if module is None:
        raise CheckpointError(f"{encoder}: reads faces and images at once, or no tokens; export an encoder of one kind")
    if out.suffix == ".safetensors":
        if not isinstance(module, ImageEncoder):
            raise CheckpointError(f"{encoder}: reads faces, and timm images; name a file that ends in .pt2 or .onnx")
        with written(out):
            write_whole(out, save(timm_weights(module), {"format": "pt"}))
        return
    inputs, axes = module.example()
    content = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters' own parts
        program = torch.export.export(module, inputs, dynamic_shapes=axes)
        if out.suffix == ".pt2":
            torch.export.save(program, content)
        else:
            _onnx(program, module.inputs, module.outputs, content)
    with written(out), whole_file(out) as file:
        file.write(content.getvalue())


def _onnx(
    program: torch.export.ExportedProgram, inputs: tuple[str, ...], outputs: tuple[str, ...], to: io.BytesIO
) -> None:
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise CheckpointError("ONNX needs onnxscript; install it with pip install 'brep-mae[onnx]'") from None
    made = torch.onnx.export(program, input_names=inputs, output_names=outputs, dynamo=True, verbose=False)
    assert made is not None
    to.write(made.model_proto.SerializeToString())


def timm_weights(module: ImageEncoder) -> dict[str, torch.Tensor]:
    """The state of timm's VisionTransformer, without a classifier, that makes the last layer's tokens: its `img_size`,
    `patch_size`, `embed_dim`, `depth` and `num_heads` are the encoder's, its LayerNorms have an epsilon of 1e-6 and its
    images a mean of 0.5 and a deviation of 0.25."""
    position = torch.cat([torch.zeros_like(module.class_token), module.tokens.position[None]], 1)
    state = {"cls_token": module.class_token, "pos_embed": position}
    state |= {f"patch_embed.{name}": value for name, value in module.tokens.embed.state_dict().items()}
    state |= module.stack.state_dict()
    return {name: value.detach().contiguous().clone() for name, value in state.items()}
