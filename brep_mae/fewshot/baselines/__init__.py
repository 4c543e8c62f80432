"""Networks of other authors, written anew from their papers, for comparison under one protocol."""
