"""The small presets of tasks train, without an encoder, the network that ACE's small preset pre-trains."""

import pytest

from common.command import read_recipe

TASKS = ("image_classification", "image_segmentation", "landmark_detection", "lesion_detection")


def network(bundle: str, **given: object) -> tuple[object, object]:
    recipe = read_recipe(*(f"bundles/{bundle}/configs/{name}.yaml" for name in ("train", "small")))
    recipe.update(given)
    return recipe.get_parsed_content("architecture"), recipe.get_parsed_content("encoder_options")


@pytest.mark.parametrize("bundle", TASKS)
def test_from_scratch_it_is_that_of_ace(bundle):
    assert network(bundle) == network("cxr_ace")


@pytest.mark.parametrize("bundle", TASKS)
def test_an_encoder_brings_its_own_and_another_name_has_no_options(bundle):
    assert network(bundle, encoder_file="encoder.safetensors") == (None, None)
    assert network(bundle, architecture="swin_tiny_patch4_window7_224")[1] is None


@pytest.mark.parametrize("bundle", TASKS)
def test_options_that_are_given_stand(bundle):
    assert network(bundle, encoder_options={}) == ("resnet18", {})
