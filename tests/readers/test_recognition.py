"""Which data set a folder is, by names that publishers gave, and what else is known of all of them."""

import numpy as np
import pytest
from pictures import save_grey
from PIL import Image
from script_main import script_main

from common.files import DatasetError
from common.readers import find_reader, reader_modules
from common.readers.check import check_folder
from common.readers.listing import list_datasets
from common.readers.recognition import MOST, recognise, the_one
from common.readers.support.defects import OTHER_BYTE_ORDER, alpha_pngs, nested_copies
from common.readers.support.tree import Tree

PUBLISHED = [name for name in reader_modules() if find_reader(name).publication.images is not None]
NAMES = {
    "chestx_det": ("ChestX_Det_train.json", "train_data/36204.png"),
    "chestx_det10": ("ChestX-Det10-Dataset-master/train.json", "train_data/36204.png"),
    "chestxray14": ("images_001/images/00000001_000.png", "Data_Entry_2017.csv", "BBox_List_2017.csv"),
    "chexpert": (
        "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg",
        "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg",
        "CheXpert-v1.0-small/train.csv",
    ),
    "covid_qu_ex": (
        "Lung Segmentation Data/Lung Segmentation Data/Train/COVID-19/images/covid_1.png",
        "Lung Segmentation Data/Lung Segmentation Data/Train/Non-COVID/lung masks/non_COVID (1).png",
    ),
    "covid_radiography": (
        "COVID-19_Radiography_Dataset/COVID/images/COVID-1.png",
        "COVID-19_Radiography_Dataset/COVID/masks/COVID-1.png",
        "COVID-19_Radiography_Dataset/Viral Pneumonia/images/Viral Pneumonia-1.png",
        "COVID-19_Radiography_Dataset/COVID.metadata.xlsx",
    ),
    # Its images have the names of their collections.
    "covidx": ("train/COVID (1).png", "train/person1_1.png", "labels/train_COVIDx9A.txt", "labels/test_COVIDx9A.txt"),
    "ct_rate": ("dataset/valid_fixed/valid_1/valid_1_a/valid_1_a_1.nii.gz",),
    "drive": (
        "DRIVE/training/images/21_training.tif",
        "DRIVE/training/mask/21_training_mask.gif",
        "DRIVE/test/images/01_test.tif",
    ),
    "eyepacs": ("train/10_left.jpeg", "train/10_right.jpeg", "trainLabels.csv.zip"),
    "fire": ("FIRE/Images/A01_1.jpg", "FIRE/Ground Truth/control_points_A01_1_2.txt", "FIRE/Masks/mask.png"),
    "jsrt": ("All247images/JPCLN001.IMG", "Clinical_Information/CLNDAT_EN.txt", "scr/fold1/masks/heart/JPCLN001.gif"),
    "kermany": ("chest_xray/train/PNEUMONIA/person1_bacteria_1.jpeg", "chest_xray/test/NORMAL/IM-0001-0001.jpeg"),
    "mimic_cxr": (
        "files/p10/p10000032/s50414267/02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg",
        "mimic-cxr-2.0.0-split.csv.gz",
        "mimic-cxr-2.0.0-chexpert.csv.gz",
    ),
    "montgomery": (
        "MontgomerySet/CXR_png/MCUCXR_0001_0.png",
        "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png",
        "MontgomerySet/ClinicalReadings/MCUCXR_0001_0.txt",
    ),
    "node21": ("node21/cxr_images/proccessed_data/images/n0001.mha", "node21/cxr_images/proccessed_data/metadata.csv"),
    "padchest": (
        "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        "0/20536686640136348236148679891455886468.png",
    ),
    "rad_chestct": ("imgtrain_Abnormality_and_Location_Labels.csv", "trn00001.npz"),
    "ratic": ("train_images/10004/21057/1000.dcm", "train_series_meta.csv"),
    "rsna_pneumonia": (
        "stage_2_train_images/0004cfab-14fd-4e49-80ba-63a80b6bddd6.dcm",
        "stage_2_train_labels.csv",
        "stage_2_detailed_class_info.csv",
    ),
    "shenzhen": ("ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png", "ChinaSet_AllFiles/ClinicalReadings/CHNCXR_0001_0.txt"),
    "siim_acr": (
        "siim/dicom-images-train/1.2.276.0.7230010.3.1.2.8/1.2.276.0.7230010.3.1.3.8/1.2.276.0.7230010.3.1.4.8.dcm",
        "siim/train-rle.csv",
    ),
    "tbx11k": ("TBX11K/imgs/tb/tb0005.png", "TBX11K/lists/TBX11K_train.txt", "TBX11K/lists/all_trainval.txt"),
    "vindr_cxr": ("train/0005e8e3701dfb1dd93d53e2ff537b6e.dicom", "annotations/image_labels_train.csv"),
    "vindr_ribcxr": ("data/train/img/VinDr_RibCXR_train_000.png", "data/train/Vindr_RibCXR_train_mask.json"),
}


def touch(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_a_download_is_recognised_and_is_no_other(tmp_path, dataset):
    touch(tmp_path / "down" / "load", NAMES[dataset])
    assert the_one(tmp_path) == dataset
    assert [known.publication.name for known in recognise(tmp_path)] == [dataset]


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_a_publication_fills_its_line_of_the_list(dataset):
    publication = find_reader(dataset).publication
    (line,) = (line for line in list_datasets().splitlines() if line.split()[0:1] == [dataset])
    assert publication.gives and publication.signs and f"{publication.images:,}" in line and publication.licence in line
    for split, count in publication.splits.items():
        assert f"{split} {count:,}" in line
    assert line.endswith(publication.licence)


def test_all_of_several_are_named_and_none_too(tmp_path):
    touch(tmp_path / "a", NAMES["kermany"])
    touch(tmp_path / "b", NAMES["eyepacs"])
    with pytest.raises(DatasetError, match=r"2 data sets: .*b/train/10_left\.jpeg.*a/chest_xray/train"):
        the_one(tmp_path)
    touch(tmp_path / "c", ["x.png", "labels.csv"])
    with pytest.raises(DatasetError, match=r"no known data set .*`list` prints all"):
        the_one(tmp_path / "c")
    with pytest.raises(DatasetError, match="no such folder"):
        the_one(tmp_path / "d")


def test_tables_are_seen_behind_many_images_and_in_any_case(tmp_path):
    touch(tmp_path, [f"A{number:04}.png" for number in range(300)] + ["DATA_ENTRY_2017_V2020.CSV.GZ"])
    assert the_one(tmp_path) == "chestxray14"
    assert MOST > 2_000


def test_the_command_recognises_a_folder_and_prints_the_list(tmp_path, capsys):
    main = script_main("check_data")
    save_grey(tmp_path / "train" / "PNEUMONIA" / "person1_bacteria_1.jpeg", 1)
    save_grey(tmp_path / "test" / "NORMAL" / "IM-0001-0001.jpeg", 2)
    assert main([str(tmp_path), "--quick"]) == 0
    assert capsys.readouterr().out.startswith("kermany: 2 images of 2 patients")
    assert main(["list"]) == 0 and capsys.readouterr().out.startswith("name ")
    assert main([str(tmp_path / "nowhere")]) == 2 and "no such folder" in capsys.readouterr().err


def test_known_defects_are_looked_for_by_name(tmp_path, capsys):
    for folder in ("", "chest_xray/"):
        save_grey(tmp_path / f"{folder}train" / "NORMAL" / "IM-0001-0001.jpeg", 1)
    assert check_folder("kermany", str(tmp_path), {}, quick=True) == 0
    text = capsys.readouterr().out
    assert "the archive again in a folder of itself: 1 (chest_xray/train/NORMAL/IM-0001-0001.jpeg)." in text
    save_grey(tmp_path / "chest_xray" / "train" / "NORMAL" / "IM-0001-0001.jpeg", 2)  # another picture is no copy
    assert nested_copies(Tree(tmp_path)) == []


def test_channels_of_opacity_are_told_by_headers(tmp_path):
    for mode in ("L", "LA", "RGB", "RGBA", "P"):
        Image.new(mode, (4, 4)).save(tmp_path / f"{mode}.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    assert [path.name for path in alpha_pngs(Tree(tmp_path))] == ["LA.png", "RGBA.png"]


def test_raw_radiographs_in_another_order_of_bytes_are_found(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (2048, 2048), np.uint16)
    values.astype(">u2").tofile(tmp_path / "JPCLN001.IMG")  # as published
    values.astype("<u2").tofile(tmp_path / "JPCLN002.IMG")
    np.zeros(4, np.uint16).tofile(tmp_path / "JPCLN003.IMG")
    assert [path.name for path in OTHER_BYTE_ORDER.find(Tree(tmp_path))] == ["JPCLN002.IMG"]


def test_files_of_padchest_that_are_known_to_be_broken_are_found(tmp_path):
    (defect,) = find_reader("padchest").publication.defects
    touch(
        tmp_path, [f"4/{name}.png" for name in ("216840111366964013962490064942014134093945580_01-178-104", "1_0-0-0")]
    )
    assert [path.name[-10:] for path in defect.find(Tree(tmp_path))] == ["78-104.png"]


def test_volumes_of_the_first_version_of_ct_rate_are_found(tmp_path):
    (defect,) = find_reader("ct_rate").publication.defects
    touch(tmp_path, ["train/train_1/train_1_a/train_1_a_1.nii.gz", "train_fixed/train_2/train_2_a/train_2_a_1.nii.gz"])
    assert [path.name for path in defect.find(Tree(tmp_path))] == ["train_1_a_1.nii.gz"]


@pytest.mark.real
def test_three_of_the_real_originals_have_four_channels(cxr_data):
    assert len(alpha_pngs(Tree(cxr_data / "chestxray14_original_size"))) == 3
