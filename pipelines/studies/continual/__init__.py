"""The continual study: stages of `studies/continual/dvc.yaml`."""
