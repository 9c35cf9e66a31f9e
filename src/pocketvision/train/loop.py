"""The training loop, from top to bottom."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Epoch, Event, Note, Step
from pocketvision.model.network import Network
from pocketvision.train.loss import classification_loss
from pocketvision.train.optimizer import AveragedWeights, make_optimizer
from pocketvision.train.recipe import Recipe, find_recipe
from pocketvision.train.schedule import rate

STEPS_TO_JUDGE = 20  # in an epoch, before its pace is believed
LATE = 1.03  # times the planned end: a smaller delay is noise

Batches = Callable[[int, int], Iterable[tuple[Tensor, Tensor]]]  # epoch and its first step, from 0 -> (images, labels)
Validate = Callable[[Network], tuple[float, float]]  # network -> (negative log likelihood, top-1)


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
    ) -> None:
        self.network, self.recipe = network, recipe
        self.steps = steps
        self.planned = self.total = epochs * steps  # `total` may be less than planned, see _keep_to_the_clock
        self.class_weights = class_weights
        self.precision = precision
        self.stop_by = stop_by
        self.device = next(network.parameters()).device
        self.optimizer = make_optimizer(network, recipe)
        self.average = AveragedWeights(network, recipe.ema)
        self.done = 0  # steps
        self.progress = 0.0  # share of the schedule that is done
        self._validation_seconds = 0.0  # that the last validation took
        self._is_late = False
        set_batch_norm_momentum(network, recipe.batch_norm_momentum)

    def run(self, batches: Batches, validate: Validate) -> Iterator[Event]:
        """Train from where it stands to the end; yield an event for every step and epoch.

        Args:
            batches: epoch and first step -> what is left of the epoch.
            validate: judges the averaged weights after each epoch.

        Raises:
            NonFiniteLoss: the loss is NaN or infinite; the averaged weights are those of the last good step.
        """
        while self.done < self.total:
            epoch, began = self.epoch, time.monotonic()
            loss, images_per_second = yield from self._train_epoch(batches(epoch, self.step))
            trained = time.monotonic()
            validation_loss, validation_top1 = validate(self.average.network)
            self._validation_seconds = time.monotonic() - trained
            yield Epoch(
                epoch=epoch + 1,
                epochs=self.epochs,
                loss=loss,
                validation_loss=validation_loss,
                validation_top1=validation_top1,
                lr=rate(self.recipe, self.progress),
                seconds=time.monotonic() - began,
                images_per_second=images_per_second,
            )
            yield from self._use_spare_time(time.monotonic() - began)

    def _train_epoch(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Generator[Event, None, tuple[float, float]]:
        """Train one epoch, or what is left of the last; return its mean loss, and images per second."""
        self.network.train()
        epoch, began, step, images_seen, total = self.epoch, time.monotonic(), 0, 0, 0.0
        before = self.step
        for images, labels in batches:
            lr = rate(self.recipe, self.progress)
            total += self.train_step(images, labels, lr)
            self.progress += (1 - self.progress) / max(1, self.steps_left)
            self.done, step, images_seen = self.done + 1, step + 1, images_seen + len(labels)
            seconds = time.monotonic() - began
            yield Step(
                epoch=epoch + 1,
                epochs=self.epochs,
                step=before + step,
                steps=self.steps,
                loss=total / step,
                lr=lr,
                images_per_second=images_seen / seconds,
                seconds_left=seconds / step * self.steps_left,
            )
            if step >= min(STEPS_TO_JUDGE, self.steps):
                yield from self._keep_to_the_clock(seconds / step)
            if before + step == self.steps or self.steps_left == 0:
                break
        return total / step, images_seen / (time.monotonic() - began)

    def train_step(self, images: Tensor, labels: Tensor, lr: float) -> float:
        """Take one optimizer step; return the loss.

        Args:
            images: (N, C, R, R) uint8.
            labels: (N,) int64.
            lr: learning rate.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        images, labels = images.to(self.device), labels.to(self.device)
        with autocast(self.precision, self.device):
            logits = self.network(images)
        loss = classification_loss(logits, labels, self.recipe.label_smoothing, self.class_weights)
        value = loss.item()
        if not math.isfinite(value):
            raise NonFiniteLoss(
                f"the loss became {value} at step {self.step + 1} of {self.steps} in epoch {self.epoch + 1} "
                f"(learning rate {lr:.4g}, batch of {len(labels)}).",
                f"--lr {min(self.recipe.lr / 4, find_recipe(self.recipe.name).lr):.4g}"
                + (" or --precision float32" if self.precision != "float32" else ""),
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.average.update()
        return value

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return self.done // self.steps

    @property
    def step(self) -> int:
        """Steps that are done within the present epoch."""
        return self.done % self.steps

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


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which the forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def set_batch_norm_momentum(network: Network, momentum: float) -> None:
    """Set the share of the new batch in all running statistics."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = momentum
