"""The mask of a batch that several processes share: drawn for all of it, so that it is the one of a single process."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from brep_mae import ranks
from brep_mae.masking.mask import Mask
from brep_mae.tokens.tokens import KINDS, Arcs, Tokens


def draw(mask: nn.Module, tokens: Tokens, rng: torch.Generator) -> Mask:
    """What `mask` draws for the tokens of all parts, of it this process's part.

    Args:
        mask: reads which tokens are real, of what kind, and the arcs between them, but no content.
        rng: in the same state in every process.
    """
    if ranks.parts() == 1:
        drawn: Mask = mask(tokens, rng)
        return drawn
    whole, column = _whole(tokens)
    drawn = mask(whole, rng)
    weight = None if drawn.weight is None else ranks.part(drawn.weight)[:, column]
    return Mask(ranks.part(drawn.hidden)[:, column], weight)


def _whole(tokens: Tokens) -> tuple[Tokens, Tensor]:
    """Tokens of all parts without their content, and the columns among theirs that the tokens of this part have."""
    samples, device = len(tokens.valid), tokens.valid.device
    arcs = 0 if tokens.arcs is None else tokens.arcs.index.shape[1]
    own = torch.tensor([[*(int((tokens.kind == kind).sum()) for kind in range(len(KINDS))), arcs]], device=device)
    *lengths, most_arcs = ranks.joined_rows(own).amax(0).tolist()
    kinds, columns, start = [], [], 0
    for kind in tokens.kind.unique_consecutive().tolist():  # tokens of a kind stand side by side
        columns.append(start + torch.arange(int(own[0, kind]), device=device))
        kinds.append(torch.full((lengths[kind],), kind, device=device))
        start += lengths[kind]
    column, kind_of = torch.cat(columns), torch.cat(kinds)
    valid = torch.zeros(samples, start, dtype=torch.long, device=device)
    valid[:, column] = tokens.valid.long()
    whole = replace(tokens, valid=ranks.joined_rows(valid).bool(), kind=kind_of, arcs=None)
    whole = replace(whole, x=whole.valid[..., None][..., :0].float(), where=whole.valid[..., None][..., :0].float())
    if tokens.arcs is None:
        return whole, column
    row, place = tokens.arcs.index // tokens.valid.shape[1], tokens.arcs.index % tokens.valid.shape[1]
    index = torch.full((most_arcs, 2), -1, device=device)
    index[:arcs] = ((ranks.rank() * samples + row) * start + column[place]).T
    index = ranks.joined_rows(index)
    index = index[index[:, 0] >= 0].T
    nothing = tokens.x.new_zeros(index.shape[1], 0)
    return replace(whole, arcs=Arcs(index, nothing, nothing)), column
