from common.evaluation import run_weights


def test_a_run_s_weights_go_before_the_bundle_s(tmp_path):
    assert run_weights(str(tmp_path), "/bundle") == "/bundle/models/model.pt"
    (tmp_path / "model.pt").touch()
    assert run_weights(str(tmp_path), "/bundle") == str(tmp_path / "model.pt")
