from common.export.graph_config import graph_config


def test_what_is_made_of_the_answer_by_our_code_is_left_to_the_client():
    """Without `scripts` a client could not even read the config: of landmarks it gets the heat maps."""
    ours, monais = ({"_target_": f"{room}.transforms.X", "keys": "pred"} for room in ("scripts", "monai"))
    config = {"postprocessing": {"_target_": "monai.transforms.Compose", "transforms": [monais, ours, monais]}}
    assert graph_config(config)["postprocessing"]["transforms"] == [monais, monais]
    assert config["postprocessing"]["transforms"][1] is ours  # the folder's own config keeps it
