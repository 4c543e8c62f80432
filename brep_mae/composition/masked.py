"""The one forward that most methods are composed from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from brep_mae.composition.picture import Picture
from brep_mae.composition.pretext import MethodParams, Pretext
from brep_mae.composition.teacher import Teacher
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import kinds
from brep_mae.masking.mask import Mask
from brep_mae.masking.together import draw
from brep_mae.models.backbone import Backbone
from brep_mae.models.decoder import NoDecoder
from brep_mae.models.encoder import Latent, TokenEncoder
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Reduction, Term, mean_error
from brep_mae.tokens.tokens import Tokens

Weights = dict[str, NonNegativeFloat]
"""TARGET.TERM -> its weight in the loss; 1 where it is not named."""


@dataclass(frozen=True)
class ForwardPass:
    """What the composed forward makes on its way, of S samples: those of the batch, once for each role.

    seen: what the encoder may see, masks aside.
    truth: what is predicted; `TeacherTargets` where the method has a teacher.
    tokens, mask: (S, N).
    role: (S,) of a sample.
    latent: the encoder's, as the decoder reads it.
    codes: (S, 1 + N, D) each, class token first: "code" the decoder's output; "latent" the encoder's, each token at its
        place, where a target reads it. "views" (S, 1, 2 D) of whole samples, where a method contrasts two.
    """

    seen: Batch
    truth: Batch
    tokens: Tokens
    mask: Mask
    role: Tensor
    latent: Latent
    codes: dict[str, Tensor]


class MaskedPretext(Pretext):
    """tokens -> mask -> encoder on what is seen -> decoder -> targets on what is hidden -> weighted sum.

    Args:
        params: the method's block.
        tokens, mask, encoder, decoder: see those packages; without a decoder the encoder's own output is the code.
        targets: by name; each gives named terms. A target of a kind that a batch does not hold adds nothing to it.
        weights: "TARGET.TERM" -> weight in the loss; a term that is not named weighs 1.
        teacher: adds what it says of the truth.
        reduction: the loss of a term is its mean over all predicted tokens of the batch ("token", MAE), or the mean
            over samples of a sample's mean ("solid", M3AE), in which a solid of many faces weighs no more than another.

    forward = run + losses. A method that learns its mask gives it to `run`, with weights that have a gradient. `roles`
    names the roles where a sample is predicted in more than one; see `branches`.

    A sample of which nothing is hidden (a solid of one face) adds nothing to such a mean; "skipped" counts them.
    Raises ValueError for the weight of a term that no target has.
    """

    roles: tuple[str, ...] = ()

    def __init__(
        self,
        params: MethodParams,
        tokens: nn.Module,
        mask: nn.Module,
        encoder: TokenEncoder,
        decoder: nn.Module | None,
        targets: Mapping[str, Target],
        weights: Mapping[str, float],
        teacher: Teacher | None = None,
        reduction: Reduction = "token",
    ) -> None:
        super().__init__()
        terms = [f"{name}.{term}" for name, target in targets.items() for term in target.terms]
        if unknown := sorted(set(weights) - set(terms)):
            raise ValueError(f"weights: unknown term {', '.join(unknown)}; known are {', '.join(terms)}")
        self.params, self.weights, self.reduction = params, dict(weights), reduction
        self.tokens, self.mask, self.encoder = tokens, mask, encoder
        self.decoder = NoDecoder() if decoder is None else decoder
        self.targets: Mapping[str, Any] = nn.ModuleDict(dict(targets))  # type: ignore[arg-type,assignment]
        self.teacher = teacher

    @property
    def reads(self) -> frozenset[str]:
        readers: list[Any] = [self.tokens, *self.targets.values(), *([] if self.teacher is None else [self.teacher])]
        return frozenset().union(*(reader.reads for reader in readers))

    @property
    def parallel(self) -> bool:
        return True

    @property
    def turns(self) -> int:
        """How often `views` shows every sample to the encoder: all of them, then all again."""
        return 1

    def views(self, batch: Batch, rng: torch.Generator) -> tuple[Batch, Batch]:
        """What the encoder may see, and the truth; one and the same unless a method says otherwise."""
        return batch, batch

    def figure_views(self, batch: Batch) -> tuple[Batch, Batch]:
        """As `views`, but nothing is drawn: the same batch gives the same figure."""
        return batch, batch

    def masked_tokens(self, tokens: Tokens, seen: Batch, mask: Mask) -> Tokens:
        """What the encoder reads once it is known what is hidden: the tokens as they are, unless seen ones tell of
        hidden content."""
        return tokens

    def branches(self, latent: Latent) -> tuple[Latent, ...]:
        """The latents that the decoder reads, one for each role. The truth holds all samples of the first role, then
        all of the next."""
        return (latent,)

    def run(self, batch: Batch, rng: torch.Generator, mask: Mask | None = None) -> ForwardPass:
        """Everything on the way to the loss.

        Args:
            mask: (B, N) of the tokens of what the encoder may see. None = as drawn. A given mask takes the drawn one's
                place, which is drawn all the same: whatever else is drawn of `rng` does not depend on it.

        Raises ValueError for a batch that holds nothing of what the method reads.
        """
        if all(getattr(batch, kind) is None for kind in kinds(self.reads)):
            raise ValueError(f"this method needs a batch with {' or '.join(sorted(kinds(self.reads)))}")
        seen, truth = self.views(batch, rng)
        forward_pass = self.run_views(seen, truth, rng, mask)
        if self.teacher is None:
            return forward_pass
        return replace(forward_pass, truth=self.teacher(truth, forward_pass.mask))

    def run_views(self, seen: Batch, truth: Batch, rng: torch.Generator, mask: Mask | None = None) -> ForwardPass:
        """As `run`, of views that are given, and without the teacher."""
        tokens = self.tokens(seen)
        drawn = draw(self.mask, tokens, rng, self.turns)
        mask = drawn if mask is None else mask
        tokens = self.masked_tokens(tokens, seen, mask)
        branches = self.branches(self.encoder(tokens, mask))
        latent = Latent(*(torch.cat([getattr(branch, name) for branch in branches]) for name in ("x", "valid", "ids")))
        role = torch.arange(len(branches), device=tokens.valid.device).repeat_interleave(len(tokens.valid))
        tokens, mask = tokens.repeated(len(branches)), mask.repeated(len(branches))
        codes = {"code": self.decoder(latent, tokens)}
        if any(target.of == "latent" for target in self.targets.values()):
            codes["latent"] = latent.placed(tokens.valid.shape[1])
        return ForwardPass(seen, truth, tokens, mask, role, latent, codes)

    def select(self, forward_pass: ForwardPass) -> dict[str, Selection]:
        """What each target predicts, by the target's name, of those whose kind of content the batch holds."""
        tokens, mask, role = forward_pass.tokens, forward_pass.mask, forward_pass.role
        return {
            name: target.select(forward_pass.codes[target.of], tokens, mask, role)
            for name, target in self.targets.items()
            if bool((tokens.kind == target.kind).any())
        }

    def errors(self, forward_pass: ForwardPass) -> Iterator[tuple[str, Selection, Term]]:
        """("TARGET.TERM", what was selected, its errors in the term's unit), one for every term."""
        for name, selection in self.select(forward_pass).items():
            for term, errors in self.targets[name](selection, forward_pass.truth).items():
                yield f"{name}.{term}", selection, errors

    def losses(self, forward_pass: ForwardPass) -> dict[str, Tensor]:
        """What `forward` answers."""
        parts = {
            name: mean_error(term, selection, self.reduction) for name, selection, term in self.errors(forward_pass)
        }
        loss = sum((self.weights.get(k, 1.0) * v for k, v in parts.items()), torch.zeros(()))
        skipped = (~forward_pass.mask.hidden.any(1)).sum().float()
        return {"loss": loss, "skipped": skipped} | {k: v.detach() for k, v in parts.items()}

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return self.losses(self.run(batch, rng))

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Batch], rng: torch.Generator) -> None:
        truths: dict[str, list[Values]] = {}
        surfaces: dict[str, list[Tensor]] = {}
        for batch in batches:
            forward_pass = self.run(batch, rng)
            for name, selection in self.select(forward_pass).items():
                target = self.targets[name]
                truths.setdefault(name, []).append(target.truth(selection, forward_pass.truth))
                if target.by_surface:
                    surface = target.surface_of(selection, forward_pass.truth.faces_with(target.reads))
                    surfaces.setdefault(name, []).append(surface)
        for name, known in truths.items():
            self.targets[name].calibrate(known, torch.cat(surfaces[name]) if name in surfaces else None)

    def explained(self, terms: Mapping[str, float]) -> dict[str, float]:
        names = [f"{name}.{term}" for name, target in self.targets.items() for term in target.terms]
        return {name: 1 - terms[name] for name in names if name in terms}

    @torch.no_grad()
    def pictures(self, batch: Batch, rng: torch.Generator) -> dict[str, Picture]:
        forward_pass = self.run_views(*self.figure_views(batch), rng)
        seen, truth, tokens = forward_pass.seen, forward_pass.truth, forward_pass.tokens
        found: dict[str, Picture] = {}
        for name, selection in self.select(forward_pass).items():
            target, roles = self.targets[name], self.roles or (name,)
            if (predicted := target.predict(selection, truth)) is None:
                continue
            content = tokens.valid & (tokens.kind == target.kind)
            chosen = content.new_zeros(int(content.sum()) // len(roles))
            chosen[selection.row[selection.role == 0]] = True  # one mask hides the tokens of all roles
            by_role = {role: predicted[selection.role == number] for number, role in enumerate(roles)}
            found[name] = Picture(target.kind, seen, truth, by_role, chosen, target.note)
        return found

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        return self.teacher is not None and self.teacher.begin_step(self, step, rng)

    def schedule(self, step: int) -> tuple[int, int]:
        return (step, self.params.steps) if self.teacher is None else self.teacher.schedule(step, self.params.steps)

    def backbone(self) -> Backbone:
        return Backbone(self.tokens, self.encoder)
