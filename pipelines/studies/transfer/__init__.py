"""The transfer study: stages of `studies/transfer/dvc.yaml`."""
