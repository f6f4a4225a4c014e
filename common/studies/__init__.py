"""Studies: methods compared on tasks over seeds, one bundle run after the other."""
