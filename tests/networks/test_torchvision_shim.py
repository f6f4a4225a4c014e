import importlib.util
from types import SimpleNamespace

import torch

from common.networks import torchvision_shim


def test_torchvision_and_what_needs_it_import():
    import segmentation_models_pytorch
    import timm
    import torchvision

    assert torchvision.__version__ and timm.__version__ and segmentation_models_pytorch.__version__


def test_nothing_to_do_a_second_time():
    assert torchvision_shim.make_importable() is None
    assert hasattr(torch.ops.torchvision, "nms")


def test_nothing_to_do_where_the_library_loads(tmp_path, monkeypatch):
    """A torchvision whose own library loads, or which is absent, is left alone; a broken one is declared."""
    asked = []
    monkeypatch.setattr(torchvision_shim, "sys", SimpleNamespace(modules={}))
    monkeypatch.setattr(torchvision_shim.torch, "ops", SimpleNamespace(torchvision=object(), load_library=asked.append))
    monkeypatch.setattr(torchvision_shim.operators, "Library", lambda *_: asked.append("declared"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert torchvision_shim.make_importable() is None and asked == []

    library = tmp_path / "_C.so"
    library.touch()
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert torchvision_shim.make_importable() is None and asked == [str(library)]


def test_a_library_that_does_not_load_is_noticed(tmp_path):
    (tmp_path / "_C.so").write_bytes(b"no library")
    assert not torchvision_shim._library_loads(tmp_path)
