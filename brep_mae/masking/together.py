"""The mask of a batch that several processes share: drawn for all of it, so that it is the one of a single process."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from brep_mae import ranks
from brep_mae.masking.learned import LearnedMask
from brep_mae.masking.mask import Mask
from brep_mae.tokens.tokens import KINDS, Arcs, Tokens


def draw(mask: nn.Module, tokens: Tokens, rng: torch.Generator, turns: int = 1) -> Mask:
    """What `mask` draws for the tokens of all parts, of it this process's part. A learned mask draws nothing and reads
    content: it is asked for the part alone.

    Args:
        mask: reads which tokens are real, of what kind, where, and the arcs between them, but no content.
        tokens: of the samples of this part; with `turns`, all of them so many times over, one turn after the other.
        rng: in the same state in every process.
    """
    if ranks.parts() == 1 or isinstance(mask, LearnedMask):
        drawn: Mask = mask(tokens, rng)
        return drawn
    whole, place = _whole(tokens, turns)
    drawn = mask(whole, rng)
    weight = None if drawn.weight is None else drawn.weight.flatten()[place]
    return Mask(drawn.hidden.flatten()[place], weight)


def _whole(tokens: Tokens, turns: int) -> tuple[Tokens, Tensor]:
    """Tokens of all parts without their content, and the places (B, N) of this part's tokens among them, flattened."""
    samples, device = len(tokens.valid), tokens.valid.device
    arcs = 0 if tokens.arcs is None else tokens.arcs.index.shape[1]
    own = torch.tensor([[*(int((tokens.kind == kind).sum()) for kind in range(len(KINDS))), arcs]], device=device)
    *lengths, most_arcs = ranks.joined_rows(own).amax(0).tolist()
    kinds, columns, start = [], [], 0
    for kind in tokens.kind.unique_consecutive().tolist():  # tokens of a kind stand side by side
        columns.append(start + torch.arange(int(own[0, kind]), device=device))
        kinds.append(torch.full((lengths[kind],), kind, device=device))
        start += lengths[kind]
    place = ranks.rows(samples, turns).to(device)[:, None] * start + torch.cat(columns)

    def of_all(own: Tensor) -> Tensor:
        everywhere = own.new_zeros(samples * ranks.parts() * start, *own.shape[2:])
        everywhere[place] = own
        return ranks.total(everywhere).unflatten(0, (-1, start))

    valid, where = of_all(tokens.valid.long()).bool(), of_all(tokens.where)
    whole = Tokens(where[..., :0], where, valid, torch.cat(kinds))
    if tokens.arcs is None:
        return whole, place
    index = torch.full((most_arcs, 2), -1, device=device)
    index[:arcs] = place.flatten()[tokens.arcs.index].T
    index = ranks.joined_rows(index)
    index = index[index[:, 0] >= 0].T
    nothing = tokens.x.new_zeros(index.shape[1], 0)
    return replace(whole, arcs=Arcs(index, nothing, nothing)), place
