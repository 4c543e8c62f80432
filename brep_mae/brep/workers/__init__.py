"""Many files in killable processes, of which a bad one costs itself."""
