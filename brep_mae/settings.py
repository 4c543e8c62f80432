"""`params.yaml` as frozen models: an unknown key or a wrong type is an error that names it and the right key."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, NonNegativeInt, PositiveInt, Tag, model_validator

from brep_mae.checks import Section, check, read_yaml

GENERATED = "generated"
"""The data set whose files the pipeline makes itself."""
Share = Field(gt=0, lt=1)
LEAST_MEMORY_MB = 16
"""A box takes 8 MB."""


class DatasetParams(Section):
    """Which solids the pipeline runs on: `name` of a file in datasets/adapters; `path` its folder or archive, "" = the
    parts that stage `generate` makes; `limit` 0 = all."""

    name: str
    path: str = ""
    limit: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _needs_path(self) -> "DatasetParams":
        if self.name != GENERATED and not self.path:
            raise ValueError(f"dataset.path is needed for dataset.name={self.name}: its folder or archive")
        return self


class GenerateParams(Section):
    """`kind` of part, a package in `generate/generators`; `solids` of them, drawn from `seed`."""

    kind: str
    solids: PositiveInt
    seed: NonNegativeInt


class SplitParams(Section):
    """Shares of the files, or for `test` their number; the rest trains. A hash of its name keeps a file on its side."""

    validation: float = Share
    test: float = Field(gt=0)

    @model_validator(mode="after")
    def _share_or_number(self) -> "SplitParams":
        if self.test >= 1 and not self.test.is_integer():
            raise ValueError(f"split.test {self.test} is neither less than 1 nor a number of files")
        if self.test < 1 and self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} and test {self.test} leave nothing to train on")
        return self


class ParseParams(Section):
    """`grid` samples per side of a UV-grid; `field_pool` points drawn per face, of which `field_samples` are kept;
    `curvature` adds principal curvatures; `split_closed` cuts full cylinders, spheres and tori in two.

    The defaults are those of the command line too, so that its shards fit encoders of `params.yaml` as it comes."""

    grid: int = Field(ge=4, le=64, default=8)
    field_pool: int = Field(ge=16, default=600)
    field_samples: PositiveInt = 64
    curvature: bool = False
    split_closed: bool = False
    deadline_s: float = Field(gt=0, default=60.0)
    memory_mb: int = Field(ge=LEAST_MEMORY_MB, default=4000)


class RenderParams(Section):
    """`views` frames of `size` x `size` pixels around each solid."""

    views: PositiveInt
    size: PositiveInt


SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
"""Width, depth and heads of the vision transformers of those names (arXiv:2012.12877 and arXiv:2010.11929, table 1)."""


class SizeParams(Section):
    """Width, depth and attention heads of a transformer; or the name of all three, as in SIZES."""

    dim: PositiveInt
    depth: int = Field(ge=0)
    heads: PositiveInt

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if not isinstance(values, str):
            return values
        if values not in SIZES:
            raise ValueError(f"no size {values}; give dim, depth and heads, or one of {', '.join(SIZES)}")
        return dict(zip(cls.model_fields, SIZES[values], strict=True))

    @model_validator(mode="after")
    def _heads_divide(self) -> "SizeParams":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class MessageSizeParams(Section):
    """Width, depth and dropout of a network of messages along arcs."""

    dim: PositiveInt
    depth: int = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)


def _shape(values: Any) -> str:
    heads = "heads" in values if isinstance(values, dict) else hasattr(values, "heads")
    return "transformer" if heads or isinstance(values, str) else "messages"


AnySizeParams = Annotated[
    Annotated[SizeParams, Tag("transformer")] | Annotated[MessageSizeParams, Tag("messages")], Discriminator(_shape)
]
"""A block with `heads`, or a name, is a transformer's."""


class OptimParams(Section):
    """How AdamW moves weights: `betas`; `weight_decay`; `clip_norm` of the gradients; `warmup`, the share of the steps
    in which the rate rises; `layer_decay`, by which a layer's rate is less than that of the layer above, 1 = all alike;
    `drop_path`, how often a sample skips what the last block adds, less in the blocks below."""

    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(min_length=2, max_length=2, default=[0.9, 0.95])
    weight_decay: float = Field(ge=0, default=0.05)
    clip_norm: float = Field(gt=0, default=1.0)
    warmup: float = Field(ge=0, lt=1, default=0.1)
    layer_decay: float = Field(gt=0, le=1, default=1.0)
    drop_path: float = Field(ge=0, lt=1, default=0.0)


class PretrainParams(OptimParams):
    """Settings that every method shares, so that methods are compared under one budget, unless its block has others.

    `precision` of matrix products; `accumulate` parts in which a step's batch goes through the network;
    `activation_checkpointing` takes less memory and more time; `heldout_batches` that a held-out evaluation reads at
    most, fewer where it would take more than 5 % of the time.
    """

    seed: NonNegativeInt
    log_every: PositiveInt
    checkpoint_every: PositiveInt
    precision: Literal["fp32", "bf16"] = "fp32"
    accumulate: PositiveInt = 1
    activation_checkpointing: bool = False
    heldout_batches: PositiveInt = 64

    @model_validator(mode="after")
    def _checkpoint_at_a_row(self) -> "PretrainParams":
        if self.checkpoint_every % self.log_every:
            raise ValueError("checkpoint_every must be a multiple of log_every, so that no row of the history is cut")
        return self

    def optim(self, own: OptimParams) -> OptimParams:
        """The settings of a method: these, but for what its block names."""
        shared = {name: getattr(self, name) for name in OptimParams.model_fields}
        return OptimParams(**shared | own.model_dump(exclude_unset=True))


class EvolveParams(Section):
    """Search for the weights of a method's targets. Each candidate of `generations` generations is trained for `steps`
    steps of `batch` on `solids` training solids; then the faces of `embedded` other training solids are put into
    `clusters` clusters, `restarts` times."""

    generations: PositiveInt
    solids: PositiveInt
    embedded: PositiveInt
    steps: PositiveInt
    batch: PositiveInt
    clusters: int = Field(ge=2)
    restarts: PositiveInt
    seed: NonNegativeInt
    workers: int = Field(ge=0)


class ProbeParams(Section):
    """Frozen features against labels at every snapshot of a pretraining: `solids` of the training side are labelled,
    `neighbours` vote."""

    solids: PositiveInt
    neighbours: PositiveInt
    workers: int = Field(ge=0)


class FewshotParams(Section):
    """Label budget study. `shots` counts labelled solids. Fine-tuning takes `steps` steps, or what `epochs` passes over
    the labelled solids take where that is more; a layer of the backbone has the rate `lr`, by `layer_decay` less than
    the one above; `noise` is added to standardised scalars; of the layer that answers the share `reprobed` is a probe
    of what was trained. `unlabelled` more solids may be read without their labels; `holdout` is the share of the
    labelled solids that only choose among states of a training, 0 = all train and nothing is chosen."""

    shots: list[PositiveInt] = Field(min_length=1)
    seeds: PositiveInt
    steps: PositiveInt
    epochs: int = Field(ge=0, default=0)
    batch: PositiveInt
    lr: float = Field(gt=0)
    layer_decay: float = Field(gt=0, le=1, default=1.0)
    head_lr: float = Field(gt=0)
    noise: float = Field(ge=0)
    reprobed: float = Field(ge=0, le=1, default=0.0)
    unlabelled: int = Field(ge=0)
    holdout: float = Field(ge=0, lt=1, default=0.0)
    workers: int = Field(ge=0)


class ComparedParams(FewshotParams):
    """The study of all pretrained encoders; `heads` = modules of fewshot/heads that learn from each."""

    heads: list[str] = Field(min_length=1)


class TaskParams(Section):
    """What learning one task may cost: steps that search its mask, then steps that train the weights it may write, of
    `batch` solids each; `transfer` says which earlier task's mask it starts from, `margin` (standard errors, 0 = as
    published) how far that one must be better than chance."""

    mask_steps: PositiveInt = 150
    weight_steps: PositiveInt = 150
    batch: PositiveInt = 8
    mask_lr: float = Field(gt=0, default=0.01)
    weight_lr: float = Field(gt=0, default=0.001)
    transfer: Literal["none", "best", "all", "always"] = "none"
    margin: float = Field(ge=0, default=0.0)


class ContinualParams(TaskParams):
    """Supermask tasks on the network of method `encoder`, with its pretrained weights or random signed constants (the
    paper's) as its `base`; `density` is the share of weights that a task's mask keeps per layer."""

    encoder: str
    base: Literal["pretrained", "random"]
    tasks: int = Field(ge=2)
    solids: PositiveInt
    density: float = Share
    seeds: PositiveInt
    workers: int = Field(ge=0)


class LabelPolicyParams(Section):
    """Which classes does a solid show? Codes are those of method `encoder`, which trains as well if `mode` says so, at
    `encoder_lr`. Of `solids` labelled ones the share `held_out` chooses thresholds and the state that is kept, and
    rewards the policy for what `reward` of fewshot/multilabel/rewards.py says. `episodes` of `steps` steps of `batch`
    solids at `lr`, then one step of the policy at `policy_lr`; `width` of the classifier's hidden layer and of the
    policy's GRU; `sigma` of the policy's Gaussian at the start."""

    encoder: str
    mode: Literal["frozen", "finetuned"]
    solids: int = Field(ge=2)
    held_out: float = Share
    width: PositiveInt
    episodes: PositiveInt
    steps: PositiveInt
    batch: PositiveInt
    lr: float = Field(gt=0)
    encoder_lr: float = Field(gt=0)
    policy_lr: float = Field(gt=0)
    sigma: float = Field(gt=0)
    reward: Literal["macro_f1", "balanced", "recalled"]
    seeds: PositiveInt
    workers: int = Field(ge=0)


class Params(Section):
    """All of `params.yaml`. `methods` stays raw here: each pretext file parses its own block."""

    dataset: DatasetParams
    generate: GenerateParams
    split: SplitParams
    parse: ParseParams
    render: RenderParams
    pretrain: PretrainParams
    methods: dict[str, dict[str, Any]]
    evolve: EvolveParams
    probe: ProbeParams
    fewshot: ComparedParams
    continual: ContinualParams
    label_policy: LabelPolicyParams


def load(path: Path | str = "params.yaml") -> Params:
    """Reads and checks the whole file, so that a typo anywhere fails before any work."""
    path = Path(path)
    return check(Params, read_yaml(path), path.name)


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested models or dicts as one level of dotted keys, the form in which runs are compared."""
    if isinstance(values, BaseModel):
        values = values.model_dump()
    if not isinstance(values, dict):
        return {prefix: values}
    result: dict[str, Any] = {}
    for key, value in values.items():
        result |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return result
