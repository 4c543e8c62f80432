"""One training step, as a method's loop has it: batches, randomness, and weights that move only by finite gradients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from brep_mae import ranks
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Samples


class NotFinite(FloatingPointError):
    """A training would go on with numbers that are not finite; the message names the step and the solids."""


def stop_unless_finite(what: str, value: Tensor, step: int, uids: Sequence[str]) -> None:
    """Raises NotFinite."""
    if not torch.isfinite(value):
        raise NotFinite(
            f"{what} is {value.item()} at step {step}, solids {', '.join(uids)}; the last good state is kept: "
            "look at these solids, or lower the method's lr"
        )


def _add_up(weights: Sequence[nn.Parameter]) -> None:
    """Gradients of all parts of a batch that several processes share."""
    if ranks.parts() == 1:
        return
    here = torch.tensor([weight.grad is not None for weight in weights], device=weights[0].device)
    read = [weight for weight, somewhere in zip(weights, ranks.total(here.long()).tolist(), strict=True) if somewhere]
    grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in read]
    whole = ranks.total(torch.cat([grad.flatten() for grad in grads]))
    for weight, grad in zip(read, whole.split([grad.numel() for grad in grads]), strict=True):
        weight.grad = grad.view_as(weight)


class Step:
    """What a method's `train_step` works with.

    Args:
        number: of the step, from 0 on.
        rng: seeded by the seed and the step's number alone.
        optimizers: those of `Pretext.optimizers`, with the rates of this step.
        data: what the training draws from; of a batch that several processes share, a part.
        batches: makes the step's batch, on the device, in equal parts one by one.
        draw: makes the step's batch of other samples, such as some of `data`, on the device and at one go.
        parts: how many parts.
        autocast: makes the context of a forward pass, for the precision of its matrix products.
        clip_norm: norm at which the gradients of one optimiser are clipped together.

    Attributes:
        uids: of the solids of the step's own batch that were met so far, each once.
        norms: of the gradients of every optimiser that has moved its weights, before they were clipped.
    """

    def __init__(
        self,
        number: int,
        rng: torch.Generator,
        model: nn.Module,
        optimizers: Mapping[str, torch.optim.Optimizer],
        data: Samples,
        batches: Callable[[], Iterator[Batch]],
        draw: Callable[[Samples], Batch],
        parts: int,
        autocast: Callable[[], AbstractContextManager[object]],
        clip_norm: float,
    ) -> None:
        self.number, self.rng, self.optimizers, self.parts = number, rng, optimizers, parts
        self.data, self.draw, self.autocast = data, draw, autocast
        self.uids: list[str] = []
        self.norms: dict[str, Tensor] = {}
        self._model, self._batches, self._clip_norm = model, batches, clip_norm

    def batches(self) -> Iterator[Batch]:
        """The parts of the step's batch, each time anew."""
        for batch in self._batches():
            self.uids += [uid for uid in batch.uid if uid not in self.uids]
            yield batch

    def backward(self, loss: Tensor, batch: Batch) -> None:
        """Adds the gradients of a part's share in the loss. Raises NotFinite."""
        stop_unless_finite("loss", loss, self.number, batch.uid)
        (loss / self.parts).backward()

    def update(self, name: str) -> None:
        """Clips the gradients of one optimiser's weights, moves these and forgets the gradients. Raises NotFinite."""
        optimizer = self.optimizers[name]
        moved = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        weights = [weight for weight in self._model.parameters() if id(weight) in moved]
        _add_up(weights)
        norm = nn.utils.clip_grad_norm_(weights, self._clip_norm)
        stop_unless_finite("norm of the gradient", norm, self.number, self.uids)
        self.norms[name] = norm
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
