"""File -> solids with names, colours and places."""
