"""Labels of files, faces and solids."""
