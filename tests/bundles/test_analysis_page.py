import json
import math
from html.parser import HTMLParser

import pytest
import torch
from analysis_parts import Stub, images_of, noise, pooled

from bundles.embedding_analysis.scripts.analyse import Analyse, best_of
from bundles.embedding_analysis.scripts.composition import Composition
from bundles.embedding_analysis.scripts.correspondence import Correspondence
from bundles.embedding_analysis.scripts.draw_images import surest_matches
from bundles.embedding_analysis.scripts.drawing import landmark_styles
from bundles.embedding_analysis.scripts.encoders import build_encoders
from bundles.embedding_analysis.scripts.landmark_map import MapLandmarks
from bundles.embedding_analysis.scripts.page import Section, page
from common.files import DatasetError
from common.networks import build_encoder, save_encoder


class Page(HTMLParser):
    """Cells of tables, and addresses of whatever the page would load."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.loaded, self.bold, self._in = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.loaded += [known[name] for name in ("src", "href") if name in known]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._in = known.get("class")
            self.rows[-1].append("")
        self._tag = tag

    def handle_data(self, text):
        if self.rows and self.rows[-1] and self._tag in ("td", "th"):
            self.rows[-1][-1] += text.strip()
            if self._in == "best":
                self.bold.append(text)


def test_the_page_has_every_number_and_loads_nothing_but_its_pictures():
    numbers = {"A <b>": {"macc": 0.5, "chance": 1 / 12}, "B": {"macc": 0.25, "chance": math.nan}}
    section = Section(
        "one", "One", "about", numbers, {"macc": ["A <b>"]}, {"A <b>": "figures/a.png", "B": "figures/b.png"}
    )
    read = Page(
        page("Title", "facts", {name: {"architecture": "x", "trained on": ["p", "q"]} for name in numbers}, [section])
    )
    assert read.rows[:3] == [["encoder", "architecture", "trained on"], ["A <b>", "x", "p, q"], ["B", "x", "p, q"]]
    assert read.rows[3:] == [["", "A <b>", "B"], ["macc", "0.5", "0.25"], ["chance", "0.0833", "–"]]
    assert read.loaded == ["#one", "figures/a.png", "figures/b.png"] and read.bold == ["0.5"]


def test_the_best_is_the_highest_or_the_lowest_and_none_where_all_are_alike():
    numbers = {
        "a": {"macc": 0.5, "error_view": 3.0, "same": 1.0, "chance": 0.1},
        "b": {"macc": 0.70001, "error_view": 2.0, "same": 1.0, "chance": 0.2},
        "c": {"macc": 0.7, "error_view": math.nan, "same": 1.0},
    }
    assert best_of(numbers, ["macc", "same"], ["error"]) == {"macc": ["b", "c"], "error_view": ["b"]}


class Tracked:
    """Remembers what it is given."""

    def __init__(self):
        self.numbers, self.files = {}, []

    def whole_run(self):
        return torch.inference_mode()

    def log_metrics(self, numbers):
        self.numbers = numbers

    def log_artifact(self, path, folder=None):
        assert path.is_file()
        self.files.append((folder, path.name))


class Landless:
    title, about, highest, lowest = "", "", (), ()

    def __call__(self, encoder, images):
        raise DatasetError("x", "has no landmarks", "Give some")


def test_an_analysis_that_lacks_something_is_left_out_and_the_others_are_written(tmp_path):
    encoders = {"one": Stub(pooled(2)), "the / other": Stub(pooled(3))}
    for encoder in encoders.values():
        encoder.description = build_encoder("resnet18", image_size=32).description
    tracked, images = Tracked(), images_of(noise(3, 16))
    chosen = {"composition": Composition(4, 8), "landless": Landless(), "gone": None}
    Analyse(encoders, images, chosen, str(tmp_path), tracked).run()
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [
        "composition-one.png",
        "composition-the_other.png",
    ]
    assert set(tracked.numbers) == {"composition"} and ("figures", "composition-one.png") in tracked.files
    left_out = json.loads((tmp_path / "numbers.json").read_text())["left_out"]
    assert list(left_out) == ["landless"] and "no landmarks" in left_out["landless"]
    with pytest.raises(DatasetError, match="no landmarks"):
        Analyse(encoders, images, {"landless": Landless()}, str(tmp_path), tracked).run()


def test_without_landmarks_it_says_so():
    for analysis in (Correspondence(2, 8, 8), MapLandmarks(8, 8)):
        with pytest.raises(DatasetError, match="no landmarks"):
            analysis(Stub(pooled(2)), images_of(noise(2, 16)))


def test_encoders_come_from_files_or_at_random_in_the_first_files_architecture(tmp_path):
    options = {"layers": [1, 1, 1, 1]}
    trained = build_encoder("resnet18", image_size=32, options=options)
    file = save_encoder(trained, tmp_path / "encoder.safetensors", method="mine")
    built = build_encoders({"random": None, "mine": str(file)})
    assert list(built) == ["random", "mine"] and not any(encoder.training for encoder in built.values())
    weight = [encoder.body.conv1.weight for encoder in (trained, built["mine"], built["random"])]
    assert torch.equal(weight[0], weight[1]) and not torch.equal(weight[0], weight[2])
    told = built["random"].description
    assert told.options == options and told.image_size == 32 and not told.method
    again = build_encoders({"random": None}, architecture="resnet18", options=options)["random"]
    assert torch.equal(again.body.conv1.weight, weight[2])
    for nothing in ({}, "text"):
        with pytest.raises(ValueError, match="--encoders"):
            build_encoders(nothing)


def test_surest_matches_are_mutual_and_in_order_and_have_contrast():
    """Of four places a and b are sure, and c is flat in one image, so that its match in the other does not count."""
    a, b, c, d = torch.eye(4)
    one, other = (torch.stack(places, 1).reshape(4, 2, 2) for places in ([a, b + 0.1 * d, c, d], [b, a, d + 2 * b, c]))
    image, whole = torch.rand(1, 8, 8), torch.rand(1, 8, 8)
    image[:, 4:, :4] = whole[:, 4:, :4] = 0.5
    matches = surest_matches(one, other, image, whole)
    assert matches[0] == ((0.25, 0.25), (0.25, 0.75)) and ((0.25, 0.75), (0.25, 0.25)) in matches[:2]
    assert all((0.75, 0.25) not in match for match in matches)  # the flat ones


def test_partners_share_a_colour_and_point_to_their_sides():
    styles = landmark_styles(["hilum_left", "hilum_right", "carina", "dome_left"])
    assert styles["hilum_left"][0] == styles["hilum_right"][0] != styles["carina"][0]
    assert [styles[name][1] for name in ("hilum_left", "hilum_right", "carina")] == [">", "<", "o"]
    assert len({colour for colour, _ in landmark_styles([f"n{n}" for n in range(12)]).values()}) <= 6
