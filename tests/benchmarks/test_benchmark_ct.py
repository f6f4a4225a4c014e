"""The second task's benchmark compares what it says it compares."""

import pytest


@pytest.mark.slow  # tests/bundles/test_ct_network_export.py compares the graphs of one backbone always
def test_the_second_task_leaves_the_graph_of_inference_as_it_is():
    from common.benchmarks.ct import measure_head

    found = measure_head("r3d_18", (16, 32, 32), 1, repeats=1, device="cpu")
    assert found["same_inference_graph"]


def test_a_gpu_runs_every_backbone_at_both_crops_of_the_paper(monkeypatch):
    from common.benchmarks import parts as benchmark

    called = []
    monkeypatch.setattr(benchmark.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(benchmark, "measure_head", lambda *arguments: called.append(arguments) or {})
    monkeypatch.setattr(benchmark, "measure_preparation", dict)
    monkeypatch.setattr(benchmark, "measure_wait", dict)
    assert len(benchmark.ct()) == 8
    chest, abdomen = (96, 192, 192), (160, 176, 192)
    assert set(called) == {
        *{("r3d_18", chest, 10), ("mvit_v2_s", chest, 4), ("swin3d_t", chest, 6)},
        *{("r3d_18", abdomen, 5), ("mvit_v2_s", abdomen, 2), ("swin3d_t", abdomen, 2)},
    }


def test_the_memory_of_an_arm_is_its_own_second_steps(monkeypatch):
    from common.benchmarks import ct as benchmark_ct

    events = []
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(benchmark_ct.torch.cuda, name, lambda name=name: events.append(name))
    monkeypatch.setattr(benchmark_ct.torch.cuda, "max_memory_allocated", lambda: 3 * 2**30)

    def step(*arguments):
        events.append(arguments)

    network = {True: "with masks", False: "without"}.get
    assert benchmark_ct._peak_gib(step, "organs", network, lambda net: f"AdamW {net}") == 3
    one = ("organs", "with masks", "AdamW with masks")
    assert events == ["empty_cache", one, "reset_peak_memory_stats", one]
