"""What an export finds in a run's folder, and what it says about the network."""

import json
import os

import pytest
import torch

from common.engines.checksums import digests
from common.export.bundle import write_checksums
from common.export.card import model_card
from common.export.data_section import training_data
from common.export.metadata import complete_metadata
from common.export.rewrite import ExportError
from common.export.run import read_run
from common.networks import build_encoder, save_encoder
from common.records.data_used import DataUsed
from common.records.lineage import Lineage

METADATA = {
    "task": "t",
    "description": "d",
    "authors": "a",
    "monai_version": "1",
    "pytorch_version": "2",
    "numpy_version": "3",
    "required_packages_version": {},
    "eval_metrics": {},
    "network_data_format": {
        "inputs": {"image": {"num_channels": 3, "spatial_shape": [9, 9], "value_range": [0, 1], "dtype": "float32"}},
        "outputs": {"pred": {"format": "classes", "num_channels": 1, "channel_def": {"0": "old"}}},
    },
}


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "toy" / "configs").mkdir(parents=True)
    (tmp_path / "toy" / "configs" / "train.yaml").write_text("epochs: 3\n")
    return tmp_path / "toy"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    torch.save({"w": torch.ones(2)}, tmp_path / "run" / "model.pt")
    return tmp_path / "run"


def test_a_run_without_tracking_takes_the_overlays_it_is_given(bundle, run, tmp_path):
    overlay = tmp_path / "more.yaml"
    overlay.write_text("epochs: 5\n")
    assert read_run(run, bundle, [overlay]).config == {"epochs": 5}
    facts = read_run(run, bundle)
    assert facts.config == {"epochs": 3}
    assert "--config" in facts.notices[0]


def test_the_config_in_the_folder_is_the_runs_whatever_else_there_is(bundle, run):
    (run / "config.yaml").write_text("epochs: 4\nloss: {_target_: common.losses.UnitMSE}\n")
    (run / "mlflow_run.json").write_text(json.dumps({"run_id": "a", "uri": f"sqlite:///{run}/gone.db"}))
    facts = read_run(run, bundle)
    assert facts.config == {"epochs": 4, "loss": {"_target_": "common.losses.EmbeddingMSE"}}  # as it is called now
    assert not facts.recipe_alone and not any("--config" in notice for notice in facts.notices)
    (run / "config.yaml").write_text("[")
    with pytest.raises(ExportError, match=r"config\.yaml cannot be read"):
        read_run(run, bundle)


def test_measured_values_come_from_the_evaluation_without_single_classes(bundle, run):
    (run / "best.json").write_text(json.dumps({"metric": "auc", "value": 0.5, "epoch": 3}))
    assert read_run(run, bundle).metrics == {"auc (validation, best epoch)": 0.5}
    metrics = {"auc": 0.75, "auc/Mass": 0.7, "images": 9, "f1": None}
    (run / "evaluation.json").write_text(json.dumps({"metrics": metrics}))
    assert read_run(run, bundle).metrics == {"auc": 0.75}


def test_numbers_of_other_weights_are_left_out_and_it_says_so(bundle, run, tmp_path):
    (run / "best.json").write_text(json.dumps({"metric": "auc", "value": 0.5, "epoch": 3}))
    torch.save({"w": torch.zeros(2)}, tmp_path / "other.pt")
    best = {"auc (validation, best epoch)": 0.5}

    def exported(measured, weights=None, age=0.0):
        (run / "evaluation.json").write_text(json.dumps({"weights": str(measured), "metrics": {"auc": 0.75}}))
        time = (run / "model.pt").stat().st_mtime - age
        os.utime(run / "evaluation.json", (time, time))
        facts = read_run(run, bundle, (), weights)
        return facts.metrics, [notice for notice in facts.notices if "left out" in notice]

    moved = f"elsewhere/{run.name}/model.pt"
    for measured in (run / "model.pt", moved):
        assert exported(measured) == ({"auc": 0.75}, [])
    for measured, age in ((tmp_path / "other.pt", 0.0), ("elsewhere/x/model.pt", 0.0), (run / "model.pt", 60.0)):
        metrics, (notice,) = exported(measured, age=age)
        assert metrics == best and "evaluation.json" in notice
    metrics, (notice,) = exported(run / "model.pt", tmp_path / "other.pt")
    assert metrics == {} and "other.pt" in notice
    assert exported(run / "model.pt", run / "model.pt") == ({"auc": 0.75}, [])


def test_a_checkpoint_is_no_state_dict(bundle, run):
    torch.save({"network": {}, "trainer": {}}, run / "model.pt")
    with pytest.raises(ExportError, match="network, trainer"):
        read_run(run, bundle)


def test_missing_folder_and_weights_are_named(bundle, run, tmp_path):
    with pytest.raises(FileNotFoundError, match="--run"):
        read_run(tmp_path / "nowhere", bundle)
    (run / "model.pt").unlink()
    with pytest.raises(FileNotFoundError, match="--weights"):
        read_run(run, bundle)


def test_metadata_describes_the_network_that_was_trained():
    images, output = torch.zeros(1, 1, 64, 64), torch.zeros(1, 2)
    done = complete_metadata(METADATA, images, output, {"auc": 0.5}, {"commit": "abc", "seed": ""})
    image, pred = done["network_data_format"]["inputs"]["image"], done["network_data_format"]["outputs"]["pred"]
    assert (image["num_channels"], image["spatial_shape"]) == (1, [64, 64])
    assert (pred["num_channels"], pred["spatial_shape"]) == (2, [])
    assert len(pred["channel_def"]) == 2
    assert done["eval_metrics"] == {"auc": 0.5}
    assert done["provenance"] == {"commit": "abc"}
    named = complete_metadata(METADATA, images, output, {}, {}, ["Mass", "Nodule"])
    assert named["network_data_format"]["outputs"]["pred"]["channel_def"] == {"0": "Mass", "1": "Nodule"}


def card(has_encoder=False, **configs):
    done = complete_metadata(
        METADATA, torch.zeros(1, 1, 64, 64), torch.zeros(1, 1), {"auc": 0.51234}, {"commit": "abc"}
    )
    return model_card(done, configs, has_encoder)


def test_card_shows_measured_values_provenance_and_only_commands_that_exist():
    text = card(train={}, inference={})
    assert "| auc | 0.5123 |" in text
    assert "| commit | abc |" in text
    assert "configs/train.json" in text
    assert "evaluate.json" not in text
    assert "encoder.safetensors" not in text


def test_the_cards_commands_give_what_running_each_config_reads():
    reading = {
        "corpus": "$read(@dataset_dir)",
        "probe": {"data": "$read(@probe_dir)"},
        "net": {"file": "@encoder_file"},
    }
    places = {"dataset_dir": "d", "probe_dir": "p", "encoder_file": None, "ckpt_path": "m"}
    base = reading | places
    run = "\npython -m monai.bundle run --config_file configs/"
    text = card(
        True,
        train=base | {"run": ["$@trainer.run()"], "trainer": {"d": "@corpus", "v": "@probe#data", "n": "@net"}},
        evaluate=base | {"run": ["$@trainer.run()"], "trainer": {"v": "@probe#data", "n": "@net"}},
        inference=base | {"run": ["$f(@corpus, @net, @ckpt_path)"]},
    )
    assert f"{run}train.json --dataset_dir DATA --probe_dir PROBE_DATA\n" in text
    assert f"{run}evaluate.json --probe_dir PROBE_DATA --encoder_file models/encoder.safetensors\n" in text
    assert f"{run}inference.json --dataset_dir IMAGES\n" in text
    assert f"{run}evaluate.json --dataset_dir DATA\n" in card(
        True, evaluate=base | {"run": ["$f(@corpus, @ckpt_path)"]}
    )


def used(name, split, images, patients):
    return {"name": name, "split": split, "images": images, "patients": patients, "unit": "images"}


def test_the_card_tells_the_data_of_the_run_and_not_the_bundles_example(bundle, run):
    example = METADATA | {"data_source": "for example ChestX-ray14"}
    note = {"trained_on": [used("phantom_chestxray14", "train", 1758, 40)], "validated_on": [used("x", "val", 9, 3)]}
    (run / "data.json").write_text(json.dumps(note))
    (run / "best.json").write_text(json.dumps({"metric": "auc", "value": 0.5, "epoch": 3}))

    def exported():
        facts = read_run(run, bundle)
        data = training_data(facts.trained_on, facts.data_names, facts.seen_before)
        return complete_metadata(
            example, torch.zeros(1, 1, 64, 64), torch.zeros(1, 1), facts.metrics, {}, None, data, facts.measured_on
        )

    metadata = exported()
    assert metadata["data_source"] == "phantom_chestxray14, train: 1,758 images of 40 patients"
    text = model_card(metadata, {}, False)
    assert "ChestX-ray14" not in text and "phantom_chestxray14, train: 1,758 images of 40 patients" in text
    assert "| auc (validation, best epoch) | 0.5 | x | val | 9 |" in text

    (run / "evaluation.json").write_text(
        json.dumps({"corpus": "y", "split": "test", "evaluated": 25, "metrics": {"auc": 0.75}})
    )
    assert "| auc | 0.75 | y | test | 25 |" in model_card(exported(), {}, False)
    (run / "evaluation.json").write_text(json.dumps({"corpus": "y", "split": "test", "metrics": {"auc": 0.75}}))
    (run / "evaluation_images.csv").write_text("source,score\na.png,1\nb.png,0\n")  # of a report that did not count
    assert "| auc | 0.75 | y | test | 2 |" in model_card(exported(), {}, False)


def test_what_a_run_does_not_know_is_not_recorded(bundle, run):
    facts = read_run(run, bundle)
    assert not facts.trained_on and not facts.measured_on
    data = training_data(facts.trained_on, facts.data_names, facts.seen_before)
    example = METADATA | {"data_source": "for example ChestX-ray14"}
    images, output = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1)
    metadata = complete_metadata(example, images, output, {"auc": 0.5}, {}, None, data, facts.measured_on)
    text = model_card(metadata, {}, False)
    assert "Training data: not recorded." in text and "ChestX-ray14" not in text + metadata["data_source"]
    assert "| auc | 0.5 | not recorded | not recorded | not recorded |" in text
    named = model_card({**metadata, "training_data": training_data([], ["nih"], ["nih", "ct_rate"])}, {}, False)
    assert "nih (which split and how many images: not recorded)" in named
    assert "Pre-trained on:\n\n- ct_rate (which split" in named


def test_the_card_tells_what_the_weights_began_with(bundle, run):
    """Names alone, of a run of an earlier version."""
    began = {"method": "cxr_ace", "corpora": ["phantom_chestxray14", "padchest"]}
    (run / "best.json").write_text(json.dumps({"metric": "auc", "value": 0.5, "epoch": 3, "began_with": began}))
    facts = read_run(run, bundle)
    data = training_data([], ["nih"], facts.seen_before)
    images, output = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1)
    text = model_card(complete_metadata(METADATA, images, output, {}, facts.provenance, None, data), {}, False)
    unknown = "(which split and how many images: not recorded)"
    assert f"Pre-trained on:\n\n- phantom_chestxray14 {unknown}\n- padchest {unknown}" in text
    assert "cxr_ace" in text


def test_the_card_tells_how_many_images_the_pre_training_saw(bundle, run):
    """Also where a part of the same data set is what the network was fine-tuned on."""
    before, own = used("nih", "train", 75312, 24000), used("nih", "train", 800, 790)
    note = {"trained_on": [own], "validated_on": []}
    note |= {"began_with": {"method": "cxr_ace", "corpora": ["nih", "padchest"], "trained_on": [before]}}
    (run / "data.json").write_text(json.dumps(note))
    facts = read_run(run, bundle)
    data = training_data(facts.trained_on, facts.data_names, facts.seen_before, facts.pretrained_on)
    images, output = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1)
    text = model_card(complete_metadata(METADATA, images, output, {}, facts.provenance, None, data), {}, False)
    assert (
        "Trained on:\n\n- nih, train: 800 images of 790 patients\n\nPre-trained on:\n\n- nih, train: 75,312 images"
        in text
    )
    assert "- padchest (which split" in text


def test_the_card_tells_what_the_experts_of_the_pre_training_saw(bundle, run):
    """Who tests on these images tests on what the network has learned from, though it was never shown them."""
    own, taught = used("nih", "train", 800, 790), used("nih", "train", 75312, 24000)
    began = {"method": "leader", "corpora": ["nih"], "experts": {"corpora": ["padchest"], "trained_on": [taught]}}
    (run / "data.json").write_text(json.dumps({"trained_on": [own], "validated_on": [], "began_with": began}))
    facts = read_run(run, bundle)
    data = training_data(facts.trained_on, facts.data_names, facts.seen_before, facts.pretrained_on, facts.experts)
    images, output = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1)
    metadata = complete_metadata(METADATA, images, output, {}, facts.provenance, None, data)
    text = model_card(metadata, {}, False)
    told = "- nih, train: 75,312 images of 24,000 patients\n- padchest (which split"
    assert f"Taught by experts that were trained on:\n\n{told}" in text
    assert "datasets:\n- nih\n- padchest\n" in text
    assert "taught by experts that were trained on nih, train: 75,312 images" in metadata["data_source"]


def test_the_card_of_a_pre_training_tells_what_its_experts_saw(bundle, run):
    taught = Lineage((), (DataUsed("padchest", "train", 90, 80),))
    encoder = build_encoder("resnet18", image_size=32)
    save_encoder(encoder, run / "encoder.safetensors", "leader", ["nih"], experts=taught)
    facts = read_run(run, bundle)
    data = training_data(facts.trained_on, facts.data_names, facts.seen_before, facts.pretrained_on, facts.experts)
    assert data["experts_trained_on"] == [used("padchest", "train", 90, 80)]
    assert data["sets"] == [{"name": "nih"}] and not data["pretrained_on"]


def test_files_of_different_evaluations_are_no_network(bundle, run):
    (run / "network.json").write_text("{}")
    written = digests([("model.pt", run / "model.pt"), ("network.json", run / "network.json")])
    (run / "best.json").write_text(json.dumps({"metric": "auc", "value": 0.5, "epoch": 3, "files": written}))
    assert read_run(run, bundle).metrics
    (run / "network.json").write_text('{"decoder": "unet"}')
    with pytest.raises(ExportError, match=r"network\.json is damaged, or not the one"):
        read_run(run, bundle)


def test_checksums_notice_a_change(tmp_path):
    import subprocess

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("x")
    write_checksums(tmp_path)
    check = ["sha256sum", "--check", "--status", "checksums.sha256"]
    assert subprocess.run(check, cwd=tmp_path).returncode == 0
    (tmp_path / "a" / "b.txt").write_text("y")
    assert subprocess.run(check, cwd=tmp_path).returncode == 1


def test_metadata_of_boxes_names_their_sides_before_the_findings():
    boxes = {"format": "boxes", "num_channels": 5, "channel_def": dict(zip("01234", [*"tlbr", "Mass"], strict=True))}
    formats = {**METADATA["network_data_format"], "outputs": {"pred": boxes}}
    images, output = torch.zeros(1, 1, 64, 64), torch.zeros(1, 6, 85)
    done = complete_metadata({**METADATA, "network_data_format": formats}, images, output, {}, {}, ["Effusion", "Mass"])
    pred = done["network_data_format"]["outputs"]["pred"]
    assert (pred["num_channels"], pred["spatial_shape"]) == (6, [85])
    assert list(pred["channel_def"].items()) == [*zip("0123", "tlbr", strict=True), ("4", "Effusion"), ("5", "Mass")]
