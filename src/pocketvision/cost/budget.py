"""The budget: what the user can spend on the device."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import ROUND_CEILING, Decimal

from pocketvision.errors import BadOption


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits on the finished file; None is no limit.

    Attributes:
        latency_ms: one batch-1 call of the engine on a ready uint8 array, after warm-up: median plus noise.
        size_mb: the file, in 10^6 bytes.
        memory_mb: weights and peak live activations by `count`, in 10^6 bytes.
        macs: multiply-adds for one image.

    Raises:
        BadOption: a limit is not above 0.
    """

    latency_ms: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    macs: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.limits():
            if not (math.isfinite(limit) and limit > 0):
                option = name.replace("_", "-")
                raise BadOption(f"{option} must be above 0; got {limit:g}.", f"--{option} {EXAMPLES[name]}")

    def __bool__(self) -> bool:
        return any(True for _ in self.limits())

    def __str__(self) -> str:
        return ", ".join(f"{name} <= {self.limit(name)}" for name, _ in self.limits()) or "no limit"

    def limits(self) -> Iterator[tuple[str, float]]:
        """Yield the limits that are set, by name."""
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None:
                yield field.name, limit

    def limit(self, name: str) -> str:
        """Return a limit that is set, as the user wrote it: not rounded."""
        value = getattr(self, name)
        return f"{value / 1e6:.10g}M" if name == "macs" else f"{value:.10g}"

    def without_latency(self) -> "Budget":
        """Return the limits that are known without measuring."""
        return replace(self, latency_ms=None)

    def missed(self, spent: "Spent") -> list[str]:
        """Return the names of the limits that this would break. An unknown cost breaks none."""
        return [name for name, limit in self.limits() if (spent.of(name) or 0.0) > limit]

    def excess(self, spent: "Spent") -> float:
        """Return the cost over the limit where that is worst; up to 1 no limit is broken."""
        return max(((spent.of(name) or 0.0) / limit for name, limit in self.limits()), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one network takes of each limit.

    Attributes:
        macs, memory_mb: counted.
        size_mb: of the file.
        latency_ms, noise_ms: measured or predicted; None if not needed.
    """

    macs: int
    memory_mb: float
    size_mb: float
    latency_ms: float | None = None
    noise_ms: float = 0.0

    def of(self, name: str) -> float | None:
        """Return what the limit of that name is compared with; for latency the median plus the noise."""
        if name == "latency_ms":
            return None if self.latency_ms is None else self.latency_ms + self.noise_ms
        value: float = getattr(self, name)
        return value


EXAMPLES = {"latency_ms": "5", "size_mb": "2", "memory_mb": "16", "macs": "50M"}
SUFFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}


def read_macs(text: str) -> float:
    """Return a number of multiply-adds from how people write it.

    Raises:
        BadOption: it is not a number.

    >>> read_macs("50M"), read_macs("1.2G"), read_macs("49000000")
    (50000000.0, 1200000000.0, 49000000.0)
    """
    found = re.fullmatch(r"([0-9.eE+]+)\s*([KMG]?)", text.strip(), re.IGNORECASE)
    try:
        return round(float(found[1]) * SUFFIXES[found[2].upper()], 3)  # type: ignore[index]
    except (TypeError, ValueError):
        raise BadOption(
            f"macs must be a number, with K, M or G for thousands, millions, billions; got {text!r}.", "--macs 50M"
        ) from None


def written(name: str, value: float) -> str:
    """Return a cost as people write it, with three digits or more, rounded up so that it can serve as a limit.

    >>> written("latency_ms", 3.78123), written("macs", 49_012_345)
    ('3.79', '49.1M')
    """
    if name == "macs":
        return f"{rounded_up(value / 1e6):g}M"
    return f"{rounded_up(value):g}"


def rounded_up(value: float) -> float:
    """Return the value with three significant digits, never below it.

    >>> rounded_up(0.12345), rounded_up(3.0)
    (0.124, 3.0)
    """
    if value <= 0:
        return 0.0
    exact = Decimal(repr(float(value)))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 2), ROUND_CEILING))
