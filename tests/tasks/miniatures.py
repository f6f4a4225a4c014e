"""Every data set of the tasks in its publisher's layout, of a few small images, as the tests of its reader write it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import test_reader_chestx_det
import test_reader_chestxray14
import test_reader_chexpert
import test_reader_covidx
import test_reader_drive
import test_reader_eyepacs
import test_reader_fire
import test_reader_jsrt
import test_reader_kermany
import test_reader_montgomery
import test_reader_node21
import test_reader_rsna_pneumonia
import test_reader_shenzhen
import test_reader_siim_acr
import test_reader_vindr_cxr
import test_reader_vindr_ribcxr
from pictures import save_grey

from common.readers import read
from common.readers.support.split_file import draw_split


def covid_radiography(root: Path) -> None:
    for kind in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        for number in range(1, 7):
            for part in ("images", "masks"):
                save_grey(
                    root / kind / part / f"{kind}-{number}.png", number, (299, 299) if part == "images" else (256, 256)
                )


def sxpco(root: Path) -> None:
    with (root / "labels.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "patient", "Pneumonia"])
        for number in range(20):
            save_grey(root / f"{number}.png", number)
            lines.writerow([f"{number}.png", number // 2, number // 2 % 2])


def node21(root: Path) -> None:
    lines = ["height,label,img_name,width,x,y"]
    for number in range(20):
        test_reader_node21.mha(root / "images" / f"n{number:04}.mha", number, 256)
        lines.append(f"{64 + number},1,n{number:04}.mha,64,{10 * number},{5 * number}")
    (root / "metadata.csv").write_text("\n".join(lines))


def landmarks(root: Path) -> None:
    with (root / "landmarks.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "landmark", "row", "col"])
        for number in range(10):
            save_grey(root / "images" / f"{number}.png", number, (64, 64))
            for place, name in enumerate(("2", "10", "18", "34", "42", "50", "21")):
                lines.writerow([f"{number}.png", name, 0.1 * place + 0.1, 0.05 * number + 0.1])


def what_srhrs_left(root: Path) -> list[str]:
    """ChestX-ray14 is split by a file; flags that name it."""
    split = draw_split(read("chestxray14", root), root, count=14, seed=0, val_share=0.2)
    (root / "split.json").write_text(json.dumps(split))
    return ["--dataset_options#split_file", str(root / "split.json")]


WRITE: dict[str, Callable[[Path], object]] = {
    "ace_keypoints": landmarks,
    "chestx_det": test_reader_chestx_det.write,
    "chestxray14": lambda root: test_reader_chestxray14.write(root, patients=20, split_at=15),
    "chexpert": test_reader_chexpert.write,
    "covid_radiography": covid_radiography,
    "covidx": test_reader_covidx.write,
    "drive": test_reader_drive.write,
    "eyepacs": test_reader_eyepacs.write,
    "fire": test_reader_fire.write,
    "jsrt": test_reader_jsrt.write,
    "kermany": test_reader_kermany.write,
    "montgomery": test_reader_montgomery.write,
    "node21": node21,
    "rsna_pneumonia": test_reader_rsna_pneumonia.write,
    "shenzhen": lambda root: test_reader_shenzhen.write(root, [*range(1, 13), *range(327, 339)]),
    "siim_acr": test_reader_siim_acr.write,
    "sxpco": sxpco,
    "vindr_cxr": test_reader_vindr_cxr.write,
    "vindr_ribcxr": test_reader_vindr_ribcxr.write,
}
SHARES = {"chexpert": 0.4, "covidx": 0.4, "drive": 0.34, "kermany": 0.3, "rsna_pneumonia": 0.3, "vindr_cxr": 0.5}
"""Of so few patients the share of the recipe would leave none to validate on."""


def flags_of(overlay: str, root: Path) -> list[str]:
    """Write the data set of an overlay; what the command is told besides its folder."""
    name = of_overlay(overlay)
    WRITE[name](root)
    flags = what_srhrs_left(root) if overlay == "chestxray14_srhrs" else []
    return flags + (["--dataset_options#val_fraction", str(SHARES[name])] if name in SHARES else [])


def of_overlay(overlay: str) -> str:
    """Data set of an overlay such as `vindr_cxr_local`: the longest name it begins with."""
    return max((name for name in WRITE if overlay == name or overlay.startswith(f"{name}_")), key=len)
