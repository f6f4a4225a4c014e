"""Begin with weights that others published."""

import logging
from pathlib import Path

from bundles.ct_diagnosis_classification.scripts.backbone_interface import Backbone
from common.networks import LoadReport
from common.networks.checkpoint_reading import read_checkpoint
from common.networks.layouts import find_weights
from common.networks.weight_matching import fill_module, sound_weights

logger = logging.getLogger(__name__)


def load_published(backbone: Backbone, file: str | Path) -> LoadReport:
    """Fill a backbone from a file in its publisher's layout, and say what became of every weight.

    - torchvision, Kinetics-400 (`r3d_18-*.pth`, `mvit_v2_s-*.pth`, `swin3d_t-*.pth`): a plain state dict. The stem
      stays new, since it takes one channel and another patch (methods, section 5); MViT's tables of relative
      positions are interpolated to the grid.
    - SwinUNETR: self-supervised `model_swinvit.pt` (`state_dict` with `module.`) or a whole network (`swinViT.`).
    - MedicalNet: `resnet_*.pth` (`state_dict` with `module.`).

    Tensors are read and nothing in the file is run. Classifiers, projectors and decoders are reported as unused.

    Raises:
        FileNotFoundError: no such file.
        UnreadableCheckpointError: damaged, or a pickle that asks for more than weights.
        PoorMatchError: the weights are another network's.
    """
    names = backbone.body.state_dict().keys()
    found = find_weights(read_checkpoint(file), names)
    weights, resampled = backbone.from_published(found.weights)
    weights = sound_weights(weights, names, file)
    report = LoadReport(str(file), found.layout, resampled=tuple(resampled))
    report = fill_module(backbone.body, weights, report, backbone.architecture, new=backbone.new_parts)
    logger.info("Pre-trained weights of %s. %s", backbone.architecture, report)
    return report
