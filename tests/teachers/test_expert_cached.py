"""Embeddings computed beforehand: found by file and patch, and what is refused before the first step."""

import numpy as np
import pandas as pd
import pytest
import torch

from common.teachers import CachedExpert, load_expert
from common.teachers.embedding_table import EmbeddingTable, write_table

IMAGES = torch.zeros(3, 1, 16, 16)  # which a table never looks at
WHOLE = (0.0, 0.0, 1.0, 1.0)
EMBEDDINGS = np.arange(12, dtype=np.float32).reshape(4, 3)
FILES = ["a.png", "a.png", "sub/b.png", "c.png"]
EDGES = np.array([WHOLE, (0.1, 0.2, 0.3, 0.4), WHOLE, WHOLE])


def table(path, files=FILES, edges=EDGES, embeddings=EMBEDDINGS):
    """A cache as another tool would write it."""
    if path.suffix == ".npz":
        np.savez(path, source=np.array(files), embedding=embeddings, **({} if edges is None else {"patch": edges}))
    else:
        frame = pd.DataFrame({"source": files, "embedding": list(embeddings)})
        if edges is not None:
            frame[["top", "left", "bottom", "right"]] = edges
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_embeddings_are_found_by_file_and_patch(tmp_path, suffix):
    expert = load_expert(table(tmp_path / f"cache{suffix}"))
    batch = {
        "source": ["/data/x/sub/b.png", "/data/x/a.png", "/data/x/a.png"],
        "patch": torch.tensor([WHOLE, (0.1, 0.2, 0.3, 0.4), WHOLE], dtype=torch.float64),
    }
    assert expert.embed_dim == 3
    torch.testing.assert_close(expert.embed(IMAGES, batch), torch.from_numpy(EMBEDDINGS[[2, 1, 0]]))
    expert.check([("/data/x/c.png", WHOLE), ("a.png", (0.1, 0.2, 0.3, 0.4000001))])


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_table_without_edges_is_of_whole_images(tmp_path, suffix):
    expert = load_expert(table(tmp_path / f"cache{suffix}", FILES[1:], None, EMBEDDINGS[1:]))
    expert.check([("/elsewhere/a.png", WHOLE)])
    batch = {"source": ["/elsewhere/a.png"], "patch": torch.tensor([WHOLE], dtype=torch.float64)}
    torch.testing.assert_close(expert.embed(IMAGES[:1], batch), torch.from_numpy(EMBEDDINGS[[1]]))
    with pytest.raises(KeyError, match=r"a\.png"):
        expert.check([("/elsewhere/a.png", (0.1, 0.2, 0.3, 0.4))])


def test_several_tables_serve_together(tmp_path):
    one = table(tmp_path / "one.npz", FILES[:2], EDGES[:2], EMBEDDINGS[:2])
    two = table(tmp_path / "two.parquet", FILES[2:], EDGES[2:], EMBEDDINGS[2:])
    expert = load_expert([str(one), str(two)])
    expert.check([("/data/c.png", WHOLE), ("/data/a.png", WHOLE)])
    with pytest.raises(ValueError, match=r"a\.png occurs twice.*--absolute"):
        load_expert([str(one), str(one)])


def test_patches_a_tenth_of_a_pixel_apart_are_told_apart(tmp_path):
    near = np.array([(0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4001)])
    expert = load_expert(table(tmp_path / "cache.npz", ["a.png"] * 2, near, EMBEDDINGS[:2]))
    batch = {"source": ["a.png"] * 2, "patch": torch.from_numpy(near)}
    torch.testing.assert_close(expert.embed(IMAGES[:2], batch), torch.from_numpy(EMBEDDINGS[:2]))


def test_a_missing_image_or_patch_is_named(tmp_path):
    expert = load_expert(table(tmp_path / "cache.npz"))
    with pytest.raises(KeyError, match=r"no embedding of /data/d\.png and of 1 more"):
        expert.check([("/data/a.png", WHOLE), ("/data/d.png", WHOLE), ("/data/e.png", WHOLE)])
    with pytest.raises(KeyError, match=r"c\.png, patch \(0\.1, 0\.2, 0\.3, 0\.4\)"):
        expert.check([("/data/c.png", (0.1, 0.2, 0.3, 0.4))])
    with pytest.raises(KeyError, match="scripts/cache_embeddings"):
        expert.embed(IMAGES[:1], {"source": ["b.png"], "patch": torch.tensor([WHOLE])})


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_an_embedding_that_is_not_finite_is_named(tmp_path, suffix):
    bad = EMBEDDINGS.copy()
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"a\.png, patch \(0\.1, 0\.2, 0\.3, 0\.4\) is not finite"):
        load_expert(table(tmp_path / f"cache{suffix}", embeddings=bad))


def test_tables_of_another_make_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", features=EMBEDDINGS)
    with pytest.raises(ValueError, match="no embedding, source, only features"):
        load_expert(tmp_path / "other.npz")
    np.savez(tmp_path / "short.npz", source=np.array(FILES[:2]), embedding=EMBEDDINGS)
    with pytest.raises(ValueError, match="2 files"):
        load_expert(tmp_path / "short.npz")
    with pytest.raises(ValueError, match="differ in length"):
        one, two = table(tmp_path / "one.npz"), table(tmp_path / "two.npz", embeddings=EMBEDDINGS[:, :2])
        CachedExpert.read([one, two])


def test_two_images_that_end_alike_do_not_share_an_embedding(tmp_path):
    expert = load_expert(table(tmp_path / "cache.npz", FILES[1:], None, EMBEDDINGS[1:]))
    with pytest.raises(ValueError, match=r"/here/a\.png and /there/a\.png would both take"):
        expert.check([("/here/a.png", WHOLE), ("/there/a.png", WHOLE)])


def test_what_a_killed_process_left_of_a_table_is_swept(tmp_path):
    left, living = tmp_path / f".old.npz.{2**22 + 1}.partial", tmp_path / ".other.npz.1.partial"
    for path in (left, living):  # process 1 always lives, and no number is above 2**22
        path.write_bytes(b"half")
    rows = np.array([[0.0, 0.0, 1.0, 1.0]])
    write_table(EmbeddingTable(np.array(["a.png"], object), rows, np.ones((1, 3), np.float32)), tmp_path / "new.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"new.npz", living.name}
