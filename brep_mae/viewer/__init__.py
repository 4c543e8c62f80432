"""Pages on which a person sees parts and what is said of them."""
