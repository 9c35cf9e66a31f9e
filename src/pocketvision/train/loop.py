"""The training loop, from top to bottom."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Epoch, Event, Note, Step, Work
from pocketvision.model.network import Network
from pocketvision.run.assess import Assessment
from pocketvision.train.checkpoint import Snapshot
from pocketvision.train.loss import classification_loss
from pocketvision.train.optimizer import AveragedWeights, make_optimizer
from pocketvision.train.recipe import Recipe
from pocketvision.train.schedule import rate

STEPS_TO_JUDGE = 20  # in an epoch, before its pace is believed
LATE = 1.03  # times the planned end: a smaller delay is noise
SKIPPED = 3  # batches in a row without a finite loss, before the last good state is taken up again
ROLLBACKS = 1  # of these, before training stops

Batches = Callable[[int, int], Iterable[tuple[Tensor, Tensor]]]  # epoch and its first step, from 0 -> (images, labels)
Validate = Callable[[Network], Work[Assessment]]

# what a snapshot holds besides tensors
NUMBERS = ("done", "closed", "progress", "planned", "total", "rate_factor", "_loss", "_learnt", "_skipped", "_is_late")


class Trainer:
    """A network in training.

    Args:
        network: is trained in place.
        recipe: how.
        epochs: passes over the training images.
        steps: optimizer steps in an epoch.
        class_weights: (classes,), or None.
        precision: "float32" or "bfloat16" (autocast).
        stop_by: `time.monotonic()` at which training should be over; None = no limit. Where the machine turns out slower
            than planned, fewer steps are taken and the learning rate falls sooner; where it is faster, whole epochs are added.
        objective: what is learnt in a step; None: the labels.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        epochs: int,
        steps: int,
        class_weights: Tensor | None = None,
        precision: str = "float32",
        stop_by: float | None = None,
        objective: "Objective | None" = None,
    ) -> None:
        self.network, self.recipe = network, recipe
        self.objective = objective or learn_labels
        self.steps = steps
        self.planned = self.total = epochs * steps  # `total` may be less than planned, see _keep_to_the_clock
        self.class_weights = class_weights
        self.precision = precision
        self.stop_by = stop_by
        self.device = next(network.parameters()).device
        self.optimizer = make_optimizer(network, recipe)
        self.average = AveragedWeights(network, recipe.ema)
        self.done = 0  # steps
        self.closed = 0  # epochs that are trained and validated
        self.progress = 0.0  # share of the schedule that is done
        self.rate_factor = 1.0  # is halved with each rollback
        self._loss = 0.0  # of the steps of this epoch, summed
        self._learnt = 0  # steps of this epoch with a finite loss
        self._skipped = 0  # steps in a row without one
        self._validation_seconds = 0.0  # that the last validation took
        self._is_late = False
        if recipe.batch_norm_momentum is not None:
            set_batch_norm_momentum(network, recipe.batch_norm_momentum)
        self.good = self.snapshot()

    def run(self, batches: Batches, validate: Validate | None = None) -> Iterator[Event]:
        """Train from where it stands to the end; yield an event for every step and epoch.

        Between two events the state is whole: `snapshot` then holds all that is needed to go on.

        Args:
            batches: epoch and first step -> what is left of the epoch.
            validate: assesses the averaged weights after each epoch; None: nobody does.

        Raises:
            NonFiniteLoss: the loss is NaN or infinite, again and again; the weights are those of the last good state.
        """
        while self.steps_left or self.done > self.closed * self.steps:
            began = time.monotonic()
            images_per_second = 0.0
            if self.steps_left and self.step < self.steps:
                images_per_second = yield from self._train_epoch(batches(self.epoch, self.step))
            if self.steps_left and self.step < self.steps:
                continue  # the last good state was taken up again
            trained = time.monotonic()
            found = None if validate is None else (yield from validate(self.average.network))
            self._validation_seconds = time.monotonic() - trained
            epoch = Epoch(
                epoch=self.epoch + 1,
                epochs=self.epochs,
                loss=self._loss / max(1, self._learnt),
                validation_loss=math.nan if found is None else found.loss,
                validation_top1=math.nan if found is None else found.top1,
                lr=self.rate_factor * rate(self.recipe, self.progress),
                seconds=time.monotonic() - began,
                images_per_second=images_per_second,
            )
            self.closed, self._loss, self._learnt = self.closed + 1, 0.0, 0
            yield epoch
            yield from self._use_spare_time(time.monotonic() - began)

    def snapshot(self) -> Snapshot:
        """Return a copy of the state; with the same batches, `restore` and `run` then give the same weights, bit for bit."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.network.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
        copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        copies["random"] = torch.get_rng_state()  # dropout
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return Snapshot(copies, numbers | {"averaged": self.average.steps})

    def restore(self, snapshot: Snapshot) -> None:
        """Take up a state that `snapshot` returned."""
        for name in NUMBERS:
            setattr(self, name, snapshot.numbers[name])
        self.average.steps = snapshot.numbers["averaged"]
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
        for name, tensor in snapshot.tensors.items():
            kind, _, rest = name.partition(".")
            parts.setdefault(kind, {})[rest] = tensor
        self.network.load_state_dict(parts["network"])
        if self.average.network is not self.network:
            self.average.network.load_state_dict(parts["average"])
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            index, _, key = name.partition(".")
            states.setdefault(int(index), {})[key] = tensor.clone()
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        torch.set_rng_state(snapshot.tensors["random"])
        self.good = snapshot

    def _train_epoch(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Generator[Event, None, float]:
        """Train what is left of an epoch; return images per second."""
        set_training(self.network, self.recipe)
        began, here, images_seen = time.monotonic(), 0, 0
        for images, labels in batches:
            lr = self.rate_factor * rate(self.recipe, self.progress)
            loss = self.train_step(images, labels, lr)
            self.progress += (1 - self.progress) / max(1, self.steps_left)
            self.done, here, images_seen = self.done + 1, here + 1, images_seen + len(labels)
            if math.isfinite(loss):
                self._loss, self._learnt, self._skipped = self._loss + loss, self._learnt + 1, 0
            else:
                yield from self._skip(loss, lr, len(labels))
                if not self._skipped:
                    break
            seconds = time.monotonic() - began
            yield Step(
                epoch=self.epoch + 1,
                epochs=self.epochs,
                step=self.step,
                steps=self.steps,
                loss=self._loss / max(1, self._learnt),
                lr=lr,
                images_per_second=images_seen / seconds,
                seconds_left=seconds / here * self.steps_left,
            )
            if here >= min(STEPS_TO_JUDGE, self.steps):
                yield from self._keep_to_the_clock(seconds / here)
            middle = self.steps // 2
            if self.steps_left == middle and here >= min(
                STEPS_TO_JUDGE, middle
            ):  # at the end it is too late to plan more
                yield from self._use_spare_time(self.steps * seconds / here + self._validation_seconds)
            if self.step >= self.steps or self.steps_left == 0:
                break
        return images_seen / (time.monotonic() - began)

    def train_step(self, images: Tensor, labels: Tensor, lr: float) -> float:
        """Take one optimizer step and return the loss; where that is not finite, the network stays as it was.

        Args:
            images: (N, C, R, R) uint8.
            labels: (N,) int64.
            lr: learning rate.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["share"]
        images, labels = images.to(self.device), labels.to(self.device)
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        self.optimizer.zero_grad(set_to_none=True)
        value = self.objective(self, images, labels)
        if math.isfinite(value):
            self.optimizer.step()
            self.average.update()
        else:
            for buffer, before in zip(self.network.buffers(), statistics, strict=True):
                buffer.copy_(before)
        return value

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the recipe's loss of logits (N, classes) against labels (N,)."""
        return classification_loss(logits, labels, self.recipe.label_smoothing, self.class_weights)

    def _skip(self, loss: float, lr: float, batch: int) -> Iterator[Event]:
        """Skip a batch whose loss is NaN or infinite; after three in a row restore the last good state at half the rate.

        Raises:
            NonFiniteLoss: that was done before.
        """
        self._skipped += 1
        where = f"step {self.step} of {self.steps} in epoch {self.epoch + 1}"
        yield Note(f"The loss became {loss} at {where}; that batch is skipped.")
        if self._skipped < SKIPPED:
            return
        factor = self.rate_factor / 2
        self.restore(self.good)
        if factor < 0.5**ROLLBACKS:
            raise NonFiniteLoss(
                f"the loss became {loss} at {where} (learning rate {lr:.4g}, batch of {batch}), {SKIPPED} batches in a row, "
                "also at half the rate.",
                f"--lr {self.recipe.lr / 4:.4g}"
                + (" or --training-precision float32" if self.precision != "float32" else ""),
            )
        self.rate_factor, self._skipped = factor, 0
        self.good = self.snapshot()
        yield Note(
            f"{SKIPPED} batches in a row: training continues from epoch {self.epoch + 1}, step {self.step}, at half the rate."
        )

    @property
    def epoch(self) -> int:
        """Epochs that are done: trained and validated."""
        return self.closed

    @property
    def step(self) -> int:
        """Steps that are done within the present epoch."""
        return self.done - self.closed * self.steps

    @property
    def epochs(self) -> int:
        """Epochs that are planned; the last may be cut short by the clock."""
        return math.ceil(self.total / self.steps)

    @property
    def steps_left(self) -> int:
        """Steps until the end."""
        return self.total - self.done

    def _use_spare_time(self, epoch_seconds: float) -> Iterator[Event]:
        """Plan more epochs where whole ones fit; the learning rate then falls later."""
        if self.stop_by is None or self.steps_left == 0:
            return
        fitting = int((self.stop_by - time.monotonic()) / (LATE * epoch_seconds))
        if self.recipe.most_epochs is not None:
            fitting = min(fitting, self.recipe.most_epochs - self.epoch)
        planned = math.ceil(self.planned / self.steps) - self.epoch
        if fitting > planned:
            self.planned = self.total = (self.epoch + fitting) * self.steps
            yield Note(f"The machine is faster than measured: {fitting} more epochs instead of {planned}.")

    def _keep_to_the_clock(self, step_seconds: float) -> Iterator[Event]:
        """Take fewer steps where the present pace would end too late, and the planned ones again where it recovers."""
        if self.stop_by is None:
            return
        validations = (self.epochs - self.epoch) * self._validation_seconds
        seconds = max(0.0, self.stop_by - time.monotonic() - validations)
        fitting = self.done + int(seconds / step_seconds)
        if fitting < self.total / LATE:
            was, self.total = self.epochs, max(self.done, fitting)
            if not self._is_late:
                yield Note(
                    f"The machine is slower than measured: {self.total / self.steps:.1f} epochs instead of {was}."
                )
            self._is_late = True
        elif self.total < self.planned:
            self.total = max(self.total, min(self.planned, fitting))


Objective = Callable[[Trainer, Tensor, Tensor], float]  # adds gradients of (images, labels); returns the loss


def learn_labels(trainer: Trainer, images: Tensor, labels: Tensor) -> float:
    """Add the gradients of the recipe's loss; return it."""
    with autocast(trainer.precision, trainer.device):
        logits = trainer.network(images)
    loss = trainer.loss(logits, labels)
    value = loss.item()
    if math.isfinite(value):
        loss.backward()  # type: ignore[no-untyped-call]
    return value


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which the forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def set_training(network: Network, recipe: Recipe) -> None:
    """Put the network into training mode; batch norms whose statistics the recipe leaves alone stay in evaluation mode."""
    network.train()
    if recipe.batch_norm_momentum is None:
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()


def set_batch_norm_momentum(network: Network, momentum: float) -> None:
    """Set the share of the new batch in all running statistics."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = momentum
