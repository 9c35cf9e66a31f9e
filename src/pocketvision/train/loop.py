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
from pocketvision.train.recipe import Recipe
from pocketvision.train.schedule import rate

Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]  # epoch, from 0 -> (images, labels)
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
            than planned, later epochs are dropped and the learning rate falls sooner.
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
        self.epochs, self.steps = epochs, steps
        self.class_weights = class_weights
        self.precision = precision
        self.stop_by = stop_by
        self.device = next(network.parameters()).device
        self.optimizer = make_optimizer(network, recipe)
        self.average = AveragedWeights(network, recipe.ema)
        self.epoch = self.step = 0  # done so far; `step` within the epoch
        self.progress = 0.0  # share of the schedule that is done
        set_batch_norm_momentum(network, recipe.batch_norm_momentum)

    def run(self, batches: Batches, validate: Validate) -> Iterator[Event]:
        """Train; yield an event for every step and epoch.

        Raises:
            NonFiniteLoss: the loss is NaN or infinite; the averaged weights are those of the last good step.
        """
        while self.epoch < self.epochs:
            began = time.monotonic()
            loss = yield from self._train_epoch(batches(self.epoch))
            training = time.monotonic() - began
            validation_loss, validation_top1 = validate(self.average.network)
            self.epoch, self.step = self.epoch + 1, 0
            yield Epoch(
                epoch=self.epoch,
                epochs=self.epochs,
                loss=loss,
                validation_loss=validation_loss,
                validation_top1=validation_top1,
                lr=rate(self.recipe, self.progress),
                seconds=time.monotonic() - began,
                images_per_second=self.steps * self.recipe.batch_size / training,
            )
            yield from self._keep_to_the_clock(time.monotonic() - began)

    def _train_epoch(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Generator[Event, None, float]:
        """Train one epoch; return its mean loss."""
        self.network.train()
        began, total = time.monotonic(), 0.0
        for images, labels in batches:
            lr = rate(self.recipe, self.progress)
            total += self.train_step(images, labels, lr)
            self.progress += (1 - self.progress) / max(1, self.steps_left)
            self.step += 1
            seconds = time.monotonic() - began
            yield Step(
                epoch=self.epoch + 1,
                epochs=self.epochs,
                step=self.step,
                steps=self.steps,
                loss=total / self.step,
                lr=lr,
                images_per_second=self.step * len(labels) / seconds,
                seconds_left=seconds / self.step * self.steps_left,
            )
        return total / max(1, self.step)

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
                f"--lr {self.recipe.lr / 4:.4g}" + (" or --precision float32" if self.precision != "float32" else ""),
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.average.update()
        return value

    @property
    def steps_left(self) -> int:
        """Steps until the end."""
        return (self.epochs - self.epoch) * self.steps - self.step

    def _keep_to_the_clock(self, epoch_seconds: float) -> Iterator[Event]:
        """Drop epochs that would end too late."""
        left = self.epochs - self.epoch
        if self.stop_by is None or left == 0:
            return
        fitting = max(0, int((self.stop_by - time.monotonic()) / epoch_seconds + 0.2))
        if fitting < left:
            self.epochs = self.epoch + fitting
            yield Note(f"The machine is slower than measured: {fitting} instead of {left} more epochs.")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which the forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def set_batch_norm_momentum(network: Network, momentum: float) -> None:
    """Set the share of the new batch in all running statistics."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = momentum
