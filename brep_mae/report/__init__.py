"""Tables, figures and the page. Reads files only."""
