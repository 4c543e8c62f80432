"""CAD files -> a data set: parsed here, in pieces, or on a cluster, and always to the same bytes."""
