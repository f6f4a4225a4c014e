"""Short forms of the commands that people type: each prints the whole command that it stands for, and becomes it.

Nothing here imports PyTorch or MONAI, so that what only lists or explains answers at once.
"""
