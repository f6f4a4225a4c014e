"""Folders that no publisher laid out: options tell what is where."""
