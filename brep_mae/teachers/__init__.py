"""Where the targets of distillation come from."""
