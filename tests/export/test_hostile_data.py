"""Names of classes and an encoder's header come from strangers' files: none runs in inference, export or the export."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from monai.engines import Evaluator
from PIL import Image
from toy_bundle.scripts.children import query

from common.command import read_recipe
from common.evaluation.best import KeepBest
from common.evaluation.classification import ClassificationReport
from common.evaluation.roc import roc_figure
from common.evaluation.save_report import SaveReport
from common.export import ExportError, export_bundle
from common.export.isolation import isolated_environment
from common.figures import as_written
from common.networks import Classifier, build_encoder, save_encoder
from common.readers import read
from common.reporting import Tracking

BUNDLE = Path(__file__).parents[2] / "bundles" / "image_classification"
OPTIONS = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 1}

READ = """
import json
from monai.bundle import ConfigParser
parser = ConfigParser()
parser.read_meta("configs/metadata.json")
parser.read_config("configs/inference.json")
network = parser.get_parsed_content("network_def")
pred = parser.get_parsed_content("_meta_")["network_data_format"]["outputs"]["pred"]["channel_def"]
origin = parser.get_parsed_content("_meta_")["provenance"]
print(json.dumps([parser.get_parsed_content("findings"), list(pred.values()), origin["method"], origin["data"]]))
"""


LOOKS = [
    "/data/normal",
    "~tilde",
    "C:\\x",
    "bundles.a#b",
    "import bundles.x #",
    "%a.json",
]  # like paths, modules, files


@pytest.fixture
def code(tmp_path):
    """An expression that leaves a file; nothing may evaluate it."""
    yield f"$open({str(tmp_path / 'trap')!r}, 'w').close()"
    assert not (tmp_path / "trap").exists()


@pytest.fixture
def names(code):
    return [code, "$import antigravity", "@device", "%device", "class #1", r"$\frac$", "Mass", *LOOKS]


@pytest.fixture
def table(tmp_path, names):
    """Folder of two images whose table, classes and boxes are called by these names."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    for index in range(2):
        Image.new("L", (20, 10), 90 * index).save(tmp_path / "data" / "images" / f"{index}.png")
    pd.DataFrame({"image": ["0.png", "1.png"], **{name: [0, 1] for name in names}}).to_csv(
        tmp_path / "data" / "columns.csv", index=False
    )
    pd.DataFrame({"image": ["0.png", "1.png"], "label": names[:2]}).to_csv(
        tmp_path / "data" / "values.csv", index=False
    )
    box = {"image_id": 0, "bbox": [1, 1, 5, 5]}
    coco = {
        "images": [{"id": 0, "file_name": "0.png", "width": 20, "height": 10}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [{"id": number, "category_id": number, **box} for number, _ in enumerate(names)],
    }
    (tmp_path / "data" / "coco.json").write_text(json.dumps(coco))
    return tmp_path / "data"


def test_names_of_tables_and_boxes_are_texts_in_records_tables_figures_and_tracking(table, names, output_root):
    whole = {"images": "images", "val_fraction": 0.0, "test_fraction": 0.0}
    corpus = read("folder", table, labels_csv="columns.csv", label_columns=names, boxes="coco.json", **whole)
    assert list(corpus.findings) == names
    assert [box.finding for box in corpus.records[0].boxes] == names
    by_value = read("folder", table, labels_csv="values.csv", class_column="label", **whole)
    assert list(by_value.findings) == sorted(names[:2]) and by_value.records[0].labels == (0.0, 1.0)

    settings = ConfigParser({"classes": "$list(@corpus.findings)", "corpus": corpus})
    tracking = Tracking(
        "toy", "a", output_root, corpus=corpus, params={"findings": settings.get_parsed_content("classes")}
    )
    report = ClassificationReport(corpus.findings)
    labels = torch.tensor([record.labels for record in corpus.records])
    batch = {"pred": labels, "label": labels, "source": ["0.png", "1.png"]}
    engine = Evaluator("cpu", [batch], iteration_update=lambda engine, batch: batch)
    report.attach(engine, "auc")
    tracking.attach(engine)
    SaveReport(report, str(output_root / "out"), tracking).attach(engine)
    engine.run()
    params = dict(query(output_root, "select key, value from params"))
    assert [params[f"findings.{index}"] for index in range(len(names))] == names
    assert pd.read_csv(output_root / "out" / "evaluation_classes.csv").iloc[:, 0].tolist()[: len(names)] == names
    labels = [text.get_text() for text in roc_figure(report.outcome).axes[0].get_legend().get_texts()]
    assert labels == [f"1.000  {as_written(name)} (1 of 2)" for name in names] and any(r"\$" in text for text in labels)


@pytest.fixture
def run(tmp_path, code, names):
    """What a training leaves whose classes come from a table, and whose encoder from a file, that a stranger wrote."""
    network = Classifier(build_encoder("vit_tiny_patch16_224", 1, 32, options=OPTIONS), len(names))
    save_encoder(network.encoder, tmp_path / "run" / "encoder.safetensors", code, ["@device", "nih"], "%commit")
    settings = {"findings": names, "exclusive": False, "resize_to": 32}
    keep = KeepBest(network, str(tmp_path / "run"), settings=settings)
    evaluator = Evaluator("cpu", [0], iteration_update=lambda engine, batch: {})
    evaluator.state.key_metric_name = "auc"
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: engine.state.metrics.update(auc=0.5))
    keep.attach(evaluator)
    evaluator.run(1)
    return tmp_path / "run"


def test_inference_and_export_give_back_names_as_they_are_and_run_nothing(run, names, code, tmp_path, python):
    parser = read_recipe(BUNDLE / "configs" / "inference.yaml", run / "network.json")
    assert parser.get_parsed_content("findings") == names
    parser.get_parsed_content("network_def").load_state_dict(torch.load(run / "model.pt"))

    exported = export_bundle(BUNDLE, tmp_path / "out", run, [BUNDLE / "configs" / "smoke.yaml"]).folder
    (tmp_path / "scratch").mkdir()
    isolated_environment(tmp_path / "scratch")
    (tmp_path / "scratch" / "read.py").write_text(READ)
    hidden = str(tmp_path / "scratch" / "sitecustomize.py")
    done = python(tmp_path / "scratch" / "read.py", cwd=exported, hidden=hidden)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [names, names, code, "@device, nih"]
    assert "%commit" in (exported / "docs" / "README.md").read_text()


@pytest.mark.parametrize("place", ["architecture", "findings", "encoder_options"])
def test_a_run_whose_settings_would_run_is_not_exported(run, code, tmp_path, place):
    settings = json.loads((run / "network.json").read_text())
    settings[place] = {"architecture": code, "findings": ["Mass", code], "encoder_options": {"depth": code}}[place]
    (run / "network.json").write_text(json.dumps(settings))
    with pytest.raises(ExportError, match=rf"network\.json#{place}.*a config would evaluate"):
        export_bundle(BUNDLE, tmp_path / "out", run, [BUNDLE / "configs" / "smoke.yaml"])
    settings[place] = {"_target_": "os.mkdir", "path": str(tmp_path / "trap")}
    (run / "network.json").write_text(json.dumps(settings))
    with pytest.raises(ExportError, match=rf"network\.json#{place} has the key '_target_'"):
        export_bundle(BUNDLE, tmp_path / "out", run, [BUNDLE / "configs" / "smoke.yaml"])


@pytest.mark.parametrize("name", ["model.pt", "encoder.safetensors", "network.json", "evaluation.json"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.98])
def test_a_file_of_the_run_that_was_cut_off_is_named(run, tmp_path, name, share):
    (run / "evaluation.json").write_text(json.dumps({"metrics": {"auc": 0.5}}))
    whole = (run / name).read_bytes()
    (run / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ExportError, match=rf"{name}.*(Copy|copy|again)"):
        export_bundle(BUNDLE, tmp_path / "out", run, [BUNDLE / "configs" / "smoke.yaml"])


@pytest.mark.parametrize("name", ["model.pt", "encoder.safetensors"])
def test_weights_with_a_flipped_byte_are_not_exported(run, tmp_path, name):
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 4
    (run / name).write_bytes(content)
    with pytest.raises(ExportError, match=rf"{name}.*checksum"):
        export_bundle(BUNDLE, tmp_path / "out", run, [BUNDLE / "configs" / "smoke.yaml"])
