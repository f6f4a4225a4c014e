"""What the files in a run's folder are called.

Nothing is imported here: the launcher lists runs without waiting for a library.
"""

CHECKPOINTS = "checkpoints"
LOCK = ".lock"  # among these: held by the process that trains
MODEL = "model.pt"  # best weights of a supervised training, and the last ones of a pre-training
NETWORK = "network.json"  # an overlay that builds the network of these weights
ENCODER = "encoder.safetensors"
BEST_ENCODER = "encoder_best.safetensors"
BEST = "best.json"
EVALUATION = "evaluation.json"  # and its tables: a row per class, image or group
EVALUATED_CLASSES = "evaluation_classes.csv"
EVALUATED_IMAGES = "evaluation_images.csv"
EVALUATED_GROUPS = "evaluation_groups.csv"
PROBE = "probe.json"
DATA = "data.json"  # what it was trained on and judged by
CONFIG = "config.yaml"
COMMAND = "command.json"
LOG = "train.log"
