"""Commands on vectors of parts: made, searched, and which parts are the same."""
