"""Numbers of faces that stay as they are when a solid is turned."""
