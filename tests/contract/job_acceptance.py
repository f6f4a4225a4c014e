"""Inside an exported bundle: MONAI's verifications, `load`, and its federated client. SCHEMA OVERRIDES OUTPUT"""

import json
import os
import shutil
import sys
from pathlib import Path

import torch
from monai.bundle import load, verify_metadata, verify_net_in_out
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems

schema, data, out = sys.argv[1:]
folder = Path.cwd()
sys.path.insert(0, str(folder))

# MONAI downloads the schema unless it lies there already.
shutil.copyfile(schema, Path(out) / "schema.json")
verify_metadata(meta_file="configs/metadata.json", filepath=f"{out}/schema.json")
verify_net_in_out(
    net_id="network_def", meta_file="configs/metadata.json", config_file="configs/inference.json", device="cpu"
)

formats = json.loads(Path("configs/metadata.json").read_text())["network_data_format"]
pred = formats["outputs"]["pred"]
if pred["format"] in ("classes", "segmentation") and len(pred["channel_def"]) != pred["num_channels"]:
    sys.exit(f"metadata names {list(pred['channel_def'].values())} for {pred['num_channels']} outputs")

# `load` is called from anywhere, copies what fits and is silent about what does not.
weights = torch.load("models/model.pt", weights_only=True)
os.chdir(out)
for kind in ("inference", "train"):
    network = load(folder.name, bundle_dir=folder.parent, workflow_type=kind, device="cpu", source="github")
    loaded = network.state_dict()
    if loaded.keys() != weights.keys() or not all(torch.equal(loaded[name], weights[name]) for name in weights):
        sys.exit(f"load(workflow_type={kind!r}) does not hold the weights of models/model.pt")

# The federated client reads train.json and evaluate.json; weights go out and come back as they were.
if (folder / "configs" / "evaluate.json").is_file():
    overrides = {**json.loads(data), "output_root": out}
    algo = MonaiAlgo(str(folder), send_weight_diff=False, train_kwargs=dict(overrides), eval_kwargs=dict(overrides))
    algo.initialize(extra={ExtraItems.CLIENT_NAME: "client"})
    sent = algo.get_weights()
    expected = algo.trainer.network.state_dict()
    if sent.weights.keys() != expected.keys() or not sent.weights:
        sys.exit("MonaiAlgo.get_weights has other names than the network")
    evaluated = algo.evaluator.network
    if evaluated.state_dict().keys() == expected.keys():  # a probe of pre-training looks at the encoder alone
        metrics = algo.evaluate(sent).metrics
        if not metrics:
            sys.exit("MonaiAlgo.evaluate returned no metric")
        after = evaluated.state_dict()
        if not all(torch.equal(torch.as_tensor(sent.weights[name]), after[name]) for name in after):
            sys.exit("MonaiAlgo's evaluator does not hold the weights that were sent")
        print(json.dumps({name: float(value) for name, value in metrics.items()}))
