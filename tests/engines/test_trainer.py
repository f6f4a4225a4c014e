import pytest
import torch
from ignite.engine import Events
from monai.engines.utils import IterationEvents
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader
from toy_bundle.scripts.toy import Method, Noise

from common.engines import (
    ClipGradients,
    FreezeLastLayer,
    NonFiniteGradient,
    NonFiniteLoss,
    RunEvents,
    Trainer,
    method_losses,
    whole_batch,
)
from common.sampling import SeededSampler


class Watch:
    """Calls a function at an event."""

    def __init__(self, event, action):
        self.event, self.action = event, action

    def attach(self, engine):
        engine.add_event_handler(self.event, self.action)


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))


def trainer(network, images=24, batch=4, epochs=1, optimizer=None, **options):
    sampler = SeededSampler(images, 0, batch, shuffle=False, drop_last=False)
    loader = DataLoader(Noise(images, 0), batch_size=batch, sampler=sampler)
    optimizer = optimizer or torch.optim.SGD(network.parameters(), lr=0.1)
    options.setdefault("loss_function", nn.MSELoss())
    return Trainer("cpu", epochs, loader, network, optimizer, **options)


@pytest.mark.parametrize("images", [24, 20])  # 20 leaves a last window of two batches instead of three
def test_accumulation_equals_the_larger_batch(images):
    small, large = linear(), linear()
    trainer(small, images, batch=4, epochs=2, accumulation_steps=3).run()
    trainer(large, images, batch=12, epochs=2).run()
    for a, b in zip(small.parameters(), large.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_clipping_of_all_gradients_is_pytorchs():
    ours, theirs = linear(), linear()
    for network in (ours, theirs):
        network(torch.randn(8, 6, generator=torch.Generator().manual_seed(1)) * 9).square().sum().backward()
    ClipGradients(0.5)(ours.parameters())
    torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_clipping_per_tensor_leaves_small_gradients():
    tensors = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(3))]
    tensors[0].grad, tensors[1].grad = torch.tensor([3.0, 4.0]), torch.tensor([0.2])
    ClipGradients(1.0, "per_tensor")(tensors)
    torch.testing.assert_close(tensors[0].grad, torch.tensor([0.6, 0.8]), rtol=1e-5, atol=0)
    assert tensors[1].grad.item() == pytest.approx(0.2) and tensors[2].grad is None


def test_clipping_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="clip#mode is 'norm'"):
        ClipGradients(1.0, "norm")
    with pytest.raises(ValueError, match="clip#max_norm is 0"):
        ClipGradients(0)


def test_autocast_works_on_the_cpu():
    network, seen = linear(), []
    network[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    trainer(network, amp_dtype="bfloat16").run()
    assert set(seen) == {torch.bfloat16}
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in network.parameters())
    with pytest.raises(ValueError, match=r"amp_dtype is torch\.float16; it must be bfloat16"):
        trainer(linear(), amp_dtype=torch.float16)


def test_loss_that_is_not_finite_names_the_files_and_updates_nothing():
    network = linear()
    before = [p.clone() for p in network.parameters()]

    def loss(outputs, targets):
        return {"loss": (outputs - targets).square().mean() / 0, "sound": outputs.mean()}

    engine = trainer(network, loss_function=loss)
    with pytest.raises(NonFiniteLoss, match=r"iteration 1 \(loss = inf, sound = .*noise-0.png, noise-1.png"):
        engine.run()
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


class NanSlope(torch.autograd.Function):
    """Adds nothing, with a gradient that is not a number when the batch begins with a given image."""

    @staticmethod
    def forward(ctx, x, spoil):
        ctx.spoil = spoil
        return x * 0

    @staticmethod
    def backward(ctx, grad):
        return grad * (torch.nan if ctx.spoil else 0), None


def spoilt_in(network, iteration, count=None):
    """A finite loss whose gradient in one of the weights is not a number, in one iteration."""
    calls = iter(range(1, 100))

    def loss(outputs, targets):
        extra = NanSlope.apply(network[0].bias[count:], next(calls) == iteration).sum()
        return (outputs - targets).square().mean() + extra

    return loss


CLIPS = {"none": None, "global": ClipGradients(1.0), "per tensor": ClipGradients(1.0, "per_tensor")}


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("amp_dtype", [None, "bfloat16"])
def test_a_gradient_that_is_not_finite_reaches_no_weight(clip, amp_dtype):
    network, seen = linear(), []
    options = {"loss_function": spoilt_in(network, 3, count=-1), "clip": CLIPS[clip], "amp_dtype": amp_dtype}
    engine = trainer(network, optimizer=torch.optim.AdamW(network.parameters()), **options)
    engine.add_event_handler(RunEvents.STEPPED, lambda: seen.append([p.clone() for p in network.parameters()]))
    with pytest.raises(
        NonFiniteGradient, match=r"in iteration 3: the gradient of 0\.bias is.*noise-8.png, noise-9.png"
    ):
        engine.run()
    assert len(seen) == 2 and engine.state.losses["loss"].isfinite()
    assert all(torch.equal(a, b) for a, b in zip(seen[-1], network.parameters(), strict=True))
    assert all(state["step"] == 2 for state in engine.optimizer.state.values())


@pytest.mark.parametrize("iteration", [4, 5, 6])
def test_a_gradient_spoilt_anywhere_in_a_window_is_found_before_its_step(iteration):
    network = linear()
    engine = trainer(network, loss_function=spoilt_in(network, iteration), accumulation_steps=3)
    with pytest.raises(NonFiniteGradient, match=r"iteration 6.*noise-12.png.*noise-16.png.*noise-23.png") as error:
        engine.run()
    assert "noise-11.png" not in str(error.value)  # of the window before
    assert all(p.isfinite().all() for p in network.parameters())


def test_a_gradient_that_is_dropped_may_be_anything():
    network = linear()
    freeze = FreezeLastLayer([network[0].bias], epochs=1)
    before = network[0].bias.clone()
    trainer(network, loss_function=spoilt_in(network, 2), train_handlers=[freeze]).run()
    assert torch.equal(network[0].bias, before) and network[0].weight.isfinite().all()


class CountWaits(TorchDispatchMode):
    """Counts how often the host asks for a number, for which it would wait for a GPU."""

    waits = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.waits += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("clip", CLIPS)
def test_the_host_waits_once_in_an_iteration(clip):
    engine = trainer(linear(), clip=CLIPS[clip], accumulation_steps=2)
    with CountWaits() as count:
        engine.run()
    assert engine.state.iteration == 6
    assert count.waits == 6 + 1  # and once in an epoch for the data loader's seed, which is on the CPU


def test_losses_by_name_reach_state_and_output():
    network = Method()
    engine = trainer(network, loss_function=method_losses, prepare_batch=whole_batch)
    engine.run()
    assert set(engine.state.losses) == {"loss", "fit", "agreement"}
    (output,) = engine.state.output
    assert output["loss"] == engine.state.losses["loss"] and not output["loss"].requires_grad
    torch.testing.assert_close(output["fit"] + output["agreement"], output["loss"])
    with pytest.raises(KeyError, match="no 'loss'"):
        trainer(Method(), loss_function=lambda losses, _: {"fit": losses["fit"]}, prepare_batch=whole_batch).run()


def test_decollated_output_is_one_dictionary_per_image():
    engine = trainer(linear(), decollate=True)
    engine.run()
    assert len(engine.state.output) == 4 and set(engine.state.output[0]) == {"image", "label", "pred", "loss"}


def test_events_come_in_order_and_a_step_is_one_of_the_optimiser():
    seen = []
    names = [
        *list(IterationEvents)[:4],
        RunEvents.STEPPED,
        RunEvents.RESUME,
        Events.STARTED,
        Events.ITERATION_COMPLETED,
    ]

    def note(name):
        return lambda: seen.append(name)

    watches = [Watch(name, note(name.name)) for name in names]
    trainer(linear(), images=8, accumulation_steps=2, train_handlers=watches).run()
    one = ["FORWARD_COMPLETED", "LOSS_COMPLETED", "BACKWARD_COMPLETED"]
    end = ["MODEL_COMPLETED", "ITERATION_COMPLETED"]
    assert seen == ["RESUME", "STARTED", *one, *end, *one, "STEPPED", *end]


def test_random_numbers_of_an_iteration_do_not_depend_on_what_others_draw():
    def train(disturb):
        network, random = Method(), []
        network.student.register_forward_pre_hook(lambda *_: random.append(torch.rand(()).item()))
        watch = Watch(Events.ITERATION_COMPLETED, lambda: torch.rand(7) if disturb else None)
        torch.manual_seed(0)
        options = {"loss_function": method_losses, "prepare_batch": whole_batch}
        trainer(network, seed=3, train_handlers=[watch], **options).run()
        return random

    assert train(False) == train(True)
    assert len(set(train(False))) == 6


def test_sampler_is_placed_by_the_iteration():
    engine = trainer(linear(), epochs=3)
    seen = []
    engine.add_event_handler(Events.ITERATION_STARTED, lambda: seen.append(engine.state.batch["source"][0]))
    engine.state.iteration, engine.state.epoch = 8, 1
    engine.run()
    assert seen == [f"noise-{index}.png" for index in [8, 12, 16, 20, 0, 4, 8, 12, 16, 20]]


def test_epochs_shorter_than_the_loader_are_refused():
    with pytest.raises(ValueError, match="epoch_length is 3 but the loader has 6 batches"):
        trainer(linear(), epoch_length=3)


def test_every_error_is_announced_even_when_a_handler_would_swallow_it():
    def fail():
        raise ValueError("made to fail")

    heard = []
    handlers = [
        Watch(Events.EXCEPTION_RAISED, lambda *_: None),
        Watch(Events.ITERATION_STARTED, fail),
        Watch(RunEvents.ABORTED, lambda engine: heard.append(str(engine.state.error))),
    ]
    with pytest.raises(ValueError, match="made to fail"):
        trainer(linear(), train_handlers=handlers).run()
    assert heard == ["made to fail"]


def test_speed_counts_images_and_the_wait_for_them():
    engine = trainer(linear(), epochs=2)
    engine.run()
    reading = engine.speed.reading
    assert (reading.iterations, reading.images) == (12, 48)
    assert 0 < reading.waited < reading.busy and reading.images_per_second == 48 / reading.busy
    assert reading.since(reading).images_per_second == 0 == reading.since(reading).data_wait
