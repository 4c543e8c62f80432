"""What pretrained encoders are good for: few-shot and continual tasks."""
