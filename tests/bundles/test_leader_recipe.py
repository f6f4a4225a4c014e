"""Every number of LeADER's recipes against the supplement [P] or the released code [C], and every overlay built."""

import ast
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from recipe_parts import config_names, orders, parsed

from bundles.cxr_leader.scripts.heads import ExpertHead
from bundles.cxr_leader.scripts.sources import open_sources
from common.images.patches import WHOLE
from common.networks import ProjectionHead
from common.phantom import write_phantom
from common.teachers import Expert

BUNDLE = "cxr_leader"

# id in the recipe -> value, with its source
TRAIN = {
    "architecture": "swin_base_patch4_window7_224",  # P
    "network_def#drop_path": 0.1,  # P
    "network_def#mean": [0.449],  # C: the mean of ImageNet's three
    "network_def#std": [0.226],
    "view#crop#size": 224,  # P
    "view#crop#area": [0.8, 1.0],  # C
    "view#crop#flip": 0.5,  # C
    "view#crop#rotation": 10.0,  # C
    "photometric#jitter": 0.3,  # C
    "photometric#brightness": 0.4,  # C
    "photometric#contrast": 0.4,  # C
    "photometric#saturation": 0.2,  # C
    "photometric#hue": 0.1,  # C
    "photometric#blur": 0.0,
    "patch_rule#enlarge": 3.0,  # C "3x", D8
    "patch_rule#anywhere": 1,  # D8
    "head_dim": 2048,  # P
    "disease_weight": 1.0,  # P
    "anatomy_weight": 1.0,  # P
    "epochs": 250,  # P, stage 2
    "warmup_epochs": 10,  # P
    "batch_size": 32,  # P: 32 x 4
    "schedules#lr#final": 1e-6,  # C
    "schedules#weight_decay#base": 0.04,  # C
    "schedules#weight_decay#final": 0.4,  # C
    "train#trainer#clip#max_norm": 3.0,  # C
    "train#trainer#clip#mode": "per_tensor",  # C
    "train#handlers#1#epochs": 1,  # C, D12
    "start_from_parts": ["encoder.", "heads.disease."],  # D11
}
PAPER = TRAIN | {"batch_size": 128}  # P
RELEASED = TRAIN | {
    "disease_head#_target_": "common.networks.ProjectionHead",  # C, D1
    "disease_head#layers": 2,
    "disease_head#bottleneck_dim": 256,  # C
    "anatomy_head#layers": 2,
    "anatomy_head#bottleneck_dim": 256,
    "start_from_parts": ["encoder."],  # C, D11
    "learning_rate": "$5.0e-4 * @effective_batch / 256",  # C, D10
    "train#sources#images": "per_patch",  # C, D9
}
STAGES = {
    "stages#disease#anatomy_weight": 0.0,  # P, D4
    "stages#disease#epochs": 100,  # P
    "stages#disease#patch_rule": None,  # P: whole images
    "stages#both#epochs": 250,  # P
}


def recipe(*overlays: str) -> ConfigParser:
    return parsed(BUNDLE, *overlays)


@pytest.mark.parametrize(
    ("overlay", "table"),
    [
        ((), TRAIN),
        (("paper",), PAPER),
        (("released",), RELEASED),
        (("two_stages",), TRAIN | STAGES),
        (("mixed",), TRAIN | STAGES),
    ],
)
def test_every_number_of_the_recipe_is_the_source_s(overlay, table):
    parser = recipe(*overlay)
    assert {key: parser[key] for key in table} == table


def test_the_supplement_s_data_sets_are_mixed():
    parser = recipe("mixed")
    sets = {
        stage: [entry["dataset_dir"] for entry in parser[f"stages#{stage}#datasets"]] for stage in ("disease", "both")
    }
    seven = ["PadChest", "ChestX-ray14", "CheXpert", "Shenzhen", "RSNA", "MIMIC-CXR", "VinDr-CXR"]
    assert sets["disease"] == [f"data/{name}" for name in seven]
    four = ["VinDr-CXR", "ChestX-Det", "NODE21/cxr_images/proccessed_data", "TBX11K"]
    assert sets["both"] == [f"data/{name}" for name in four]


def test_the_small_stages_have_the_same_losses_and_the_small_preset_s_budget():
    stages, small = recipe("two_stages")["stages"], recipe("small", "small_two_stages")["stages"]
    assert list(small) == list(stages)
    assert [values.get("anatomy_weight", 1.0) for values in small.values()] == [0.0, 1.0]  # P
    patches = [
        values.get("patch_rule#_disabled_", recipe("small")["patch_rule#_disabled_"]) for values in small.values()
    ]
    assert patches == [True, False]
    # patches.yaml: an epoch with patches counts twice
    assert recipe("small")["epochs"] == 2 * recipe("small", "patches")["epochs"]
    assert small["disease"]["epochs"] + 2 * small["both"]["epochs"] == recipe("small")["epochs"]


def test_the_metadata_name_what_reading_an_expert_needs():
    """An exported bundle has no requirements.txt: what is imported late would be missed at the first such expert."""
    root = Path(__file__).parents[2]
    trees = [ast.parse(file.read_text()) for file in (root / "common/teachers").glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    foreign = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    metadata = json.loads((root / "bundles" / BUNDLE / "configs/metadata.json").read_text())
    # PyTorch and NumPy have keys of their own; timm's huggingface_hub brings tqdm
    assert {"onnxruntime", "pyarrow"} <= foreign
    assert foreign - {"torch", "numpy", "tqdm"} <= set(metadata["required_packages_version"])


def test_learning_rate_is_scaled_by_the_global_batch():
    assert recipe("paper").get_parsed_content("learning_rate") == pytest.approx(1e-4)  # D10: 2e-4 at 256
    assert recipe().get_parsed_content("learning_rate") == pytest.approx(2e-4 * 32 / 256)
    assert recipe("paper", "released").get_parsed_content("learning_rate") == pytest.approx(2.5e-4)  # 5e-4 at 256


class Stub(Expert):
    """Stands for CXR-FM or Adam's ResNet-50, which only their lengths matter of here."""

    def __init__(self, embed_dim: int):
        super().__init__()
        self.embed_dim = embed_dim

    def embed(self, images, batch):
        return torch.ones(len(images), self.embed_dim)

    def check(self, items):
        pass


def with_experts(parser: ConfigParser) -> ConfigParser:
    parser["disease_expert"] = "$stub(1376) if @disease_weight else None"
    parser["anatomy_expert"] = "$stub(2048) if @anatomy_weight else None"
    parser.globals["stub"] = Stub
    return parser


@pytest.mark.parametrize(("overlay", "kind"), [((), ExpertHead), (("released",), ProjectionHead)])
def test_heads_have_the_paper_s_sizes_for_the_paper_s_experts(overlay, kind):
    parser = with_experts(recipe(*overlay))
    for name, length in (("disease", 1376), ("anatomy", 2048)):
        head = parser.get_parsed_content(f"{name}_head")
        assert isinstance(head, kind)
        shapes = [tuple(parameter.shape) for parameter in head.parameters() if parameter.ndim == 2]
        assert shapes == (
            [(2048, 1024), (length, 2048)] if kind is ExpertHead else [(2048, 1024), (256, 2048), (length, 256)]
        )


BOTH = {"disease", "anatomy"}
PARTS = {  # overlay -> losses; every overlay of the bundle is here
    "small": BOTH,
    "smoke": BOTH,
    "paper": BOTH,
    "released": BOTH,
    "multi_gpu": BOTH,
    "evaluate": BOTH,
    "online_disease": BOTH,
    "patches": BOTH,
    "two_stages": BOTH,
    "small_two_stages": BOTH,
    "mixed": BOTH,
    "probe/lung_masks": BOTH,
    "ablations/disease_only": {"disease"},
    "ablations/anatomy_only": {"anatomy"},
}


def test_no_overlay_is_forgotten():
    assert config_names(BUNDLE) == set(PARTS) | {"train", "inference"}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, count=8, size=72, seed=0, workers=1)
    return folder


@pytest.mark.parametrize("overlay", PARTS)
def test_every_overlay_builds_its_losses_at_the_smoke_size_in_either_order(overlay, phantom, tmp_path):
    for order in orders(overlay):
        parser = recipe(*order)
        parser["dataset_dir"], parser["output_root"] = str(phantom), str(tmp_path)
        if overlay == "small":
            with_experts(parser)
        dataset = parser.get_parsed_content("train#dataset")
        batch = torch.utils.data.default_collate(dataset.__getitems__([0, 1]))
        method = parser.get_parsed_content("method")
        method.check(dataset.keys())
        losses = method(batch)
        assert set(losses) == {"loss", *PARTS[overlay]}
        assert torch.isfinite(losses["loss"])


def test_the_disease_expert_is_asked_once_unless_it_is_online(phantom, tmp_path):
    kinds = {}
    for overlay in ("smoke", "online_disease"):
        parser = recipe("smoke", overlay)
        parser["dataset_dir"], parser["output_root"] = str(phantom), str(tmp_path)
        kinds[overlay] = type(parser.get_parsed_content("disease_expert")).__name__
    assert kinds == {"smoke": "CachedExpert", "online_disease": "NetworkExpert"}
    assert [path.suffix for path in (tmp_path / "embeddings").glob("[!.]*")] == [".npz"]


def test_data_sets_are_mixed_with_their_own_weights_and_stores(phantom, tmp_path):
    plain = {"name": "plain", "val_fraction": 0.0}
    other = shutil.copytree(phantom / "images", tmp_path / "other")
    entries = [
        {"dataset": "chestxray14", "dataset_dir": str(phantom), "limit": 2, "weight": 0.5},
        {"dataset": "folder", "dataset_dir": str(other), "options": plain, "patches": False},
    ]
    sources = open_sources(entries, str(tmp_path), 72, 1, 64, limit=3)
    assert [source.weight for source in sources] == [0.5, 1.0]
    assert [len(source.store) for source in sources] == [2, 3]
    assert sources[0].store.directory != sources[1].store.directory
    with pytest.raises(ValueError, match="datasets#1 has wieght"):
        open_sources([entries[0], {**entries[1], "wieght": 2.0}], str(tmp_path), 72, 1, 64)


def test_released_lists_an_image_once_per_patch_unless_its_entry_says_otherwise(phantom, tmp_path):
    counts = {}
    for images in (None, "once"):
        parser = recipe("smoke", "released")
        parser["dataset_dir"], parser["output_root"] = str(phantom), str(tmp_path)
        parser["datasets"][0] |= {"images": images} if images else {}
        (source,) = parser.get_parsed_content("train#sources")
        whole = Counter(record for record, edges in source.items if edges == WHOLE)
        counts[images] = (whole, Counter(record for record, edges in source.items if edges != WHOLE))
    (copies, patches), (once, same) = counts[None], counts["once"]
    assert patches == same and max(patches.values()) > 1
    assert copies == {record: max(1, patches[record]) for record in copies}
    assert once == dict.fromkeys(copies, 1)
