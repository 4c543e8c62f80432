"""A model that learned from few labels: fitted, kept in a folder, asked."""
