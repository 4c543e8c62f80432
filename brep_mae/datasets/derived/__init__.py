"""Stored solids as samples of another kind: turned, or all of a file as one."""
