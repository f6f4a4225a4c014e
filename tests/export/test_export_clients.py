"""An exported bundle in the hands of the programs that others serve it with, imitated."""

import json
import shutil

import itk
import nibabel
import numpy as np
import pytest
import torch
from export_bundles import BUNDLES
from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow
from monai.transforms import Resize
from PIL import Image

from common.export import Exported, ExportError, add_torchscript, largest_difference

PLACES = ("dataset_dir", "probe_dir", "output_dir", "output_file", "output_root")
SIZES = [(40, 56), (72, 24)]  # rows, columns


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Smooth grey pictures that are not square, as files of two formats and as arrays."""
    folder = tmp_path_factory.mktemp("pictures")
    found = []
    for number, (rows, columns) in enumerate(SIZES):
        row, column = np.mgrid[:rows, :columns]
        values = 127 + 120 * np.sin(row / (5 + number)) * np.cos(column / 9)
        path = folder / f"{number}.{('png', 'tiff')[number]}"
        Image.fromarray(values.round().astype(np.uint8)).save(path)
        np.save(folder / f"{number}.npy", np.asarray(Image.open(path)))
        found.append(path)
    return found


def expected(exported, path):
    """Probabilities (K, H, W) at the picture's size, by hand."""
    size = exported.images.shape[-1]
    image = torch.from_numpy(np.asarray(Image.open(path), np.float32) / 255)[None]
    small = Resize((size, size), mode="bilinear", anti_aliasing=True)(image).as_tensor()
    network = rebuilt(exported)
    with torch.no_grad():
        logits = network(small[None])
    if logits.ndim == 2:  # an embedding
        return logits[0]
    shape = image.shape[1:]
    return torch.nn.functional.interpolate(logits.sigmoid(), size=shape, mode="bilinear", align_corners=False)[0]


def rebuilt(exported):
    """The exported network, built by the repository's code."""
    text = (exported.folder / "configs" / "inference.json").read_text().replace("scripts.common.", "common.")
    config = json.loads(text.replace("scripts.", f"bundles.{exported.folder.name}.scripts."))
    network = ConfigParser(config).get_parsed_content("network_def")
    network.load_state_dict(torch.load(exported.folder / "models" / "model.pt", weights_only=True))
    return network.eval()


def label_map(probabilities):
    """0 where no structure reaches one half, otherwise the number of the most probable, by hand."""
    numbers = np.zeros(probabilities.shape[1:], np.uint8)
    best = np.full(probabilities.shape[1:], 0.5)
    for number, plane in enumerate(probabilities.numpy(), 1):
        numbers[plane > best] = number
        best = np.maximum(best, plane)
    return numbers


@pytest.mark.parametrize("bundle", BUNDLES)
def test_metadata_and_network_say_the_shape_that_was_trained(bundle, exported):
    found = exported(bundle)
    image = json.loads((found.folder / "configs" / "metadata.json").read_text())["network_data_format"]["inputs"][
        "image"
    ]
    config = json.loads((found.folder / "configs" / "inference.json").read_text())
    sizes = config["crop_size"] if "crop_size" in config else [config["image_size"]] * 2
    assert image["spatial_shape"] == sizes and list(found.images.shape[2:]) == sizes
    if len(sizes) == 3:  # each of its own, so that no two can be exchanged
        assert sizes == [16, 32, 48]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_networks_can_be_scripted_and_answer_alike(bundle, exported):
    network = rebuilt(exported(bundle)).train()
    names = list(network.state_dict())
    scripted = torch.jit.script(network)
    assert network.training and list(network.state_dict()) == names
    images = torch.rand(2, *exported(bundle).images.shape[1:])
    with torch.no_grad():
        assert torch.allclose(scripted(images), network.eval()(images), atol=1e-5)


@pytest.mark.slow
def test_the_exporters_own_check_starts_cold_and_tells_other_weights_and_a_missing_file(exported, tmp_path, request):
    found = exported("image_segmentation")
    assert largest_difference(found) == 0  # in a process that imports everything by itself
    request.getfixturevalue("warm_exports")
    copy = Exported(tmp_path / "copy", found.images, found.output)
    shutil.copytree(found.folder, copy.folder)
    weights = torch.load(copy.folder / "models" / "model.pt", weights_only=True)
    name = next(name for name, value in weights.items() if name.endswith("weight") and value.ndim == 4)
    torch.save({**weights, name: 2 * weights[name]}, copy.folder / "models" / "model.pt")
    assert largest_difference(copy) > 1e-3
    next((copy.folder / "scripts" / "common" / "networks").glob("*.py")).unlink()
    with pytest.raises(ExportError, match="does not run by itself"):
        largest_difference(copy)


def test_label_serves_request_after_request_and_writes_a_label_map_over_the_image(exported, pictures, client):
    found = exported("image_segmentation")
    answers = client("client_label.py", found.folder, *pictures)
    for number, path in enumerate(pictures):
        answer = np.load(answers / f"label-{number}.npz")
        wanted = label_map(expected(found, path))
        assert 0.02 < (wanted > 0).mean() < 0.98
        assert answer["written"].shape == wanted.shape and answer["written"].dtype == np.uint8
        assert (answer["written"] == wanted).mean() > 0.999
        assert json.loads(str(answer["labels"])) == {"lung": 1, "heart": 2}


def test_label_gets_a_probability_for_each_finding(exported, pictures, client):
    found = exported("image_classification")
    answers = client("client_label.py", found.folder, *pictures)
    metadata = json.loads((found.folder / "configs" / "metadata.json").read_text())
    findings = metadata["network_data_format"]["outputs"]["pred"]["channel_def"].values()
    answer = np.load(answers / "label-1.npz")
    assert list(json.loads(str(answer["labels"])).values()) == list(range(len(findings)))
    assert ((answer["written"] > 0) & (answer["written"] < 1)).all() and len(answer["written"]) == len(findings)


def test_label_reads_volumes_request_after_request(exported, tmp_path, client):
    found = exported("ct_diagnosis_classification")
    paths = [tmp_path / "one.nii.gz", tmp_path / "two.mha"]
    values = np.random.default_rng(0).integers(-900, 300, (40, 40, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([8.0, 8.0, 10.0, 1.0])), paths[0])
    image = itk.image_from_array(np.ascontiguousarray(values.transpose()))
    image.SetSpacing([8.0, 8.0, 10.0])
    image.SetDirection(np.diag([-1.0, -1.0, 1.0]))  # the same patient: NIfTI counts to the right and front
    itk.imwrite(image, str(paths[1]))
    answers = client("client_label.py", found.folder, *paths)
    one, two = (np.load(answers / f"label-{number}.npz")["written"] for number in (0, 1))
    assert ((one > 0) & (one < 1)).all() and len(one) == found.output.shape[1]
    assert np.allclose(one, two, atol=1e-4)


def test_deploy_runs_the_graph_without_any_code_of_ours(exported, pictures, client, warm_exports):
    for bundle in ("image_segmentation", "cxr_ace"):
        found = exported(bundle)
        assert add_torchscript(found) < 1e-5
        assert not list((found.folder / "models").glob(".*"))
        answers = client(
            "client_deploy.py", found.folder / "models" / "model.ts", *(p.with_suffix(".npy") for p in pictures)
        )
        for number, path in enumerate(pictures):
            answer, wanted = np.load(answers / f"{number}.npy"), expected(found, path)
            if bundle == "image_segmentation":
                assert answer.shape == (1, *wanted.shape[1:]) and answer.dtype == np.uint8
                assert (answer[0] == label_map(wanted)).mean() > 0.999
            else:
                assert np.allclose(answer, wanted, atol=1e-4)


def test_the_order_of_the_axes_is_said_where_clients_and_people_look(exported):
    for bundle, words in (("image_segmentation", "(row, column)"), ("ct_diagnosis_classification", "(D, H, W)")):
        folder = exported(bundle).folder
        assert words in json.loads((folder / "configs" / "metadata.json").read_text())["axes"]
        assert words in (folder / "docs" / "README.md").read_text()
    formats = json.loads((exported("image_segmentation").folder / "configs" / "metadata.json").read_text())
    outputs = formats["network_data_format"]["post_processed_outputs"]["pred"]
    assert outputs["channel_def"] == {"0": "background", "1": "lung", "2": "heart"}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_default_places_lie_in_the_bundle_whatever_the_working_directory(bundle, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (exported(bundle).folder / "configs").glob("*.json"):
        if path.stem == "metadata":
            continue
        parser = ConfigParser(json.loads(path.read_text()))
        parser["bundle_root"] = "/bundle"
        places = [
            key for key in ("dataset_dir", "probe_dir", "output_dir", "output_file", "output_root") if key in parser
        ]
        assert "dataset_dir" in places and len(places) > 1
        for key in places:
            place = parser.get_parsed_content(key)  # null: found when it is needed
            assert place is None or place.startswith("/bundle/"), f"{path.name}: {key}"


def test_a_mistyped_keyword_in_python_is_refused_with_the_nearest_key():
    config = "bundles/cxr_ace/configs/inference.yaml"
    with pytest.raises(SystemExit, match="no 'dataset_dri'; did you mean dataset_dir"):
        create_workflow(config_file=config, workflow_type="infer", dataset_dri="x")
    with pytest.raises(SystemExit, match="dense"):
        ConfigWorkflow(config, workflow_type="infer", dens=True).initialize()
    workflow = create_workflow(config_file=config, workflow_type="infer", bundle_root="b", **{"dense": True})
    assert workflow.parser["dense"] is True


def test_a_second_bundle_does_not_run_the_first_ones_code(exported, client):
    one, two = (exported(bundle).folder for bundle in ("image_segmentation", "image_classification"))
    client("client_two_bundles.py", one, two)


def test_two_exports_live_in_one_process(exported, client):
    found = [exported(bundle) for bundle in ("image_segmentation", "cxr_ace")]
    for each in found:
        torch.save({"images": each.images, "output": each.output}, each.folder.parent / "probe.pt")
    client("client_both_bundles.py", *(each.folder for each in found))


def test_hugging_face_reads_the_cards_first_block(exported):
    from huggingface_hub import ModelCard

    for bundle, task, modality in (
        ("image_segmentation", "image-segmentation", "DX"),
        ("ct_diagnosis_classification", "image-classification", "CT"),
        ("cxr_ace", "image-feature-extraction", "DX"),
    ):
        data = ModelCard.load(exported(bundle).folder / "docs" / "README.md").data
        expected = {"license": "apache-2.0", "library_name": "monai", "pipeline_tag": task}
        assert expected.items() <= data.to_dict().items()
        assert {"monai", modality} <= set(data.tags)
    assert data.datasets == ["phantom"]
    assert data.metrics is None
    assert "lung" in ModelCard.load(exported("image_segmentation").folder / "docs" / "README.md").data.tags
