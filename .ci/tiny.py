"""params.yaml with the least numbers with which every stage still has something to do. Writes over the file named."""

import sys
from pathlib import Path

import yaml

path = Path(sys.argv[1])
params = yaml.safe_load(path.read_text())
params["generate"]["solids"] = 120
params["parse"] |= {"field_pool": 64, "field_samples": 16}
params["render"] |= {"views": 2, "size": 32}
params["pretrain"] |= {"log_every": 2, "checkpoint_every": 2}
for method in params["methods"].values():
    method |= {"steps": 4, "batch": 4}
params["methods"]["st_mae"]["views"] = 2
params["evolve"] |= {"generations": 1, "solids": 8, "embedded": 16, "steps": 2, "batch": 4, "clusters": 4}
params["probe"] |= {"solids": 8, "neighbours": 3}
params["fewshot"] |= {"shots": [1, 8], "seeds": 1, "steps": 2, "unlabelled": 4}
params["continual"] |= {"tasks": 2, "solids": 30, "mask_steps": 2, "weight_steps": 2, "batch": 4}
params["label_policy"] |= {"solids": 30, "episodes": 2, "steps": 2, "seeds": 1}
path.write_text(yaml.safe_dump(params, sort_keys=False))
