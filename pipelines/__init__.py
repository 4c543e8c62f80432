"""Stage scripts of `dvc.yaml`: read settings, call one function, write files."""
