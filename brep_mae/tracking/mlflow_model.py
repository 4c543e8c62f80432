"""The code MLflow stores beside a checkpoint ("models from code"): solids in, one embedding per solid out.

Loading needs this package installed; the checkpoint itself is the safetensors folder, and nothing is unpickled.
MLflow runs this file by its path; no other module imports it.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]


class SolidEmbedder(mlflow.pyfunc.PythonModel):
    """Embeds parsed solids.

    Input rows: `shards` (folder of parsed shards), `frames` (folder of renders, or ""), `uid` (which solid).
    Output rows, in the order of the input: `uid` and the embedding's components `e0`, `e1`, ...
    """

    def load_context(self, context: Any) -> None:
        from brep_mae.checkpoints.backbones import load_backbone

        self.backbone = load_backbone(Path(context.artifacts["checkpoint"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        from brep_mae.models.embed import embed

        parts = []
        for (shards, frames), rows in model_input.groupby(["shards", "frames"], sort=False):
            values = embed(self.backbone, Path(shards), Path(frames) if frames else None, list(rows["uid"]))
            part = pd.DataFrame(values, index=rows.index, columns=[f"e{i}" for i in range(values.shape[1])])
            part.insert(0, "uid", rows["uid"])
            parts.append(part)
        return pd.concat(parts).loc[model_input.index]


mlflow.models.set_model(SolidEmbedder())
