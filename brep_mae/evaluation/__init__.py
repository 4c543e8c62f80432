"""What features and models hold."""
