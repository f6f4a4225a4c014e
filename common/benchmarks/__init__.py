"""How fast and how large: figures that are ratios, measured in one run on whatever machine there is."""
