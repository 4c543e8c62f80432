"""One pretraining: what is trained, what it costs, what it shows, and what it leaves behind."""
