"""The second task's benchmark compares what it says it compares."""


def test_the_second_task_leaves_the_graph_of_inference_as_it_is():
    from benchmark_ct import measure_head

    found = measure_head("r3d_18", (16, 32, 32), 1, repeats=1, device="cpu")
    assert found["same_inference_graph"]
