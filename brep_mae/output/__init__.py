"""How files and folders are written: whole or not at all, and never over what others wrote."""
