"""Duplicate images: files with the same bytes, and pictures that look alike."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.findings import Finding
from pocketvision.data.looks import Facts
from pocketvision.data.union import connected

MAX_BITS = 5  # of 64 that may differ between the hashes of pictures that look alike
BANDS = tuple(np.array_split(np.arange(64), MAX_BITS + 1))  # 5 differing bits leave one of 6 bands untouched
REACH = 64  # how far, in order of hash, pictures that share a band are compared: more share it only in large sets
LEAST_CORRELATION = 0.99  # of the small pictures
CHUNK = 4096  # pairs that are compared at once: their pictures fit into a processor's cache
LEAST_CONTRAST = 4.0  # standard deviation, in levels: a flatter picture says too little to be judged
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)


def duplicate_findings(dataset: Dataset, facts: Facts) -> list[Finding]:
    """Return a finding for each set of images with the same bytes, and for each set that looks alike.

    A set with images in several classes gives a finding that says so, and one in several parts, too; any other set is a plain
    duplicate.
    """
    copies: dict[str, list[int]] = defaultdict(list)
    for index, sha256 in enumerate(facts.hashes):
        copies[sha256].append(index)
    firsts = np.array([together[0] for together in copies.values()], np.int64)
    found = []
    for together in copies.values():
        if len(together) > 1:
            found += _findings(dataset, together, "duplicate", "has the same bytes as", "with the same bytes")
    pairs: list[tuple[int, int]] = near_pairs(facts.small[firsts]).tolist()
    for alike in connected(pairs):
        together = [copy for index in sorted(alike) for copy in copies[facts.hashes[int(firsts[index])]]]
        found += _findings(dataset, together, "near-duplicate", "looks like", "that each look like another")
    return found


def _findings(dataset: Dataset, together: Sequence[int], kind: str, two: str, many: str) -> list[Finding]:
    """Return the findings for one set of images; `two` and `many` say what two or more of them share."""
    samples = [dataset.samples[index] for index in together]
    keys = tuple(sample.key for sample in samples)
    what = f"{two} {keys[1]}" if len(keys) == 2 else f"one of {len(keys):,} images {many}, such as {keys[1]}"
    where = []
    if len({sample.label for sample in samples}) > 1:
        names = sorted({dataset.classes[sample.label] for sample in samples})
        where.append((f"{kind} across classes", f"under {_listed(names)}"))
    if len({sample.part for sample in samples}) > 1:
        where.append((f"{kind} across parts", f"in {_listed(sorted({str(sample.part) for sample in samples}))}"))
    found = [Finding(name, keys[0], f"{what}, {place}.", keys[1:]) for name, place in where]
    return found or [Finding(kind, keys[0], f"{what}.", keys[1:])]


def _listed(names: Sequence[str]) -> str:
    """Return up to three names with their number.

    >>> _listed(["a", "b"]), _listed(["a", "b", "c", "d", "e"])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more")
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"'{name}'" for name in names[:3]) + more


def difference_hashes(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return 64 bits for each small picture: is a tile of 8 rows and 9 columns brighter than its right neighbour?

    Source: the difference hash that N. Krawetz described in 2013, "Kind of Like That", on hackerfactor.com.

    Args:
        small: (N, 16, 18) uint8.

    Returns:
        (N, 64) bool.
    """
    tiles = small.reshape(-1, 8, 2, 9, 2).sum((2, 4), dtype=np.int32)
    brighter: NDArray[np.bool_] = tiles[:, :, :-1] > tiles[:, :, 1:]
    return brighter.reshape(-1, 64)


def near_pairs(small: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return pairs of pictures that look alike: hashes that differ in at most 5 bits, and a correlation of at least 0.99.

    Not all pairs are compared: of each of 6 bands of the hash, only neighbours in sorted order that share the band. By the
    pigeonhole principle no pair is missed as long as no more than 65 pictures share a band; in larger crowds of equal bands
    some may be.

    Args:
        small: (N, 16, 18) uint8; nearly flat pictures are in no pair.

    Returns:
        (P, 2) int64, the smaller index first, each pair once.
    """
    rich = np.flatnonzero(small.std((1, 2), dtype=np.float32) >= LEAST_CONTRAST)
    if len(rich) < 2:
        return np.empty((0, 2), np.int64)
    bits = difference_hashes(small[rich])
    pairs = np.concatenate([_pairs_in_band(bits, band) for band in BANDS])
    numbers = np.sort(pairs[:, 0] * len(rich) + pairs[:, 1])
    left, right = np.divmod(numbers[np.diff(numbers, prepend=-1) > 0], len(rich))
    alike = _correlations(small[rich], left, right) >= LEAST_CORRELATION
    kept: NDArray[np.int64] = np.stack([rich[left[alike]], rich[right[alike]]], axis=1).astype(np.int64)
    return kept


def _pairs_in_band(bits: NDArray[np.bool_], band: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs (P, 2) int64 that agree in all bits of the band and differ in at most 5 of the others."""
    turned = np.roll(bits, -int(band[0]), axis=1)  # the band comes first, so that sorting brings its equals together
    words = np.packbits(turned, axis=1).view(">u8")[:, 0].astype(np.uint64)
    order = np.argsort(words, kind="stable")
    ordered = words[order]
    bands = ordered >> np.uint64(64 - len(band))
    found = [np.empty((0, 2), np.int64)]
    for step in range(1, min(REACH + 1, len(ordered))):
        same = np.flatnonzero(bands[step:] == bands[:-step])
        if not len(same):
            break
        near = same[_bit_count(ordered[same] ^ ordered[same + step]) <= MAX_BITS]
        found.append(np.sort(np.stack([order[near], order[near + step]], axis=1), axis=1))
    return np.concatenate(found)


def _bit_count(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return how many bits of each word are set; numpy has had a function for it only since version 2.

    >>> _bit_count(np.array([0, 7, 2**63], np.uint64)).tolist()
    [0, 3, 1]
    """
    counts: NDArray[np.uint8] = _BITS_OF_BYTE[words[:, None].view(np.uint8)].sum(1, dtype=np.uint8)
    return counts


def _correlations(small: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the correlation of the pictures (N, 16, 18) of each pair (left, right): (P,)."""
    values = small.reshape(len(small), -1).astype(np.float32)
    values -= values.mean(1, keepdims=True)
    values /= np.sqrt(np.einsum("ij,ij->i", values, values))[:, None]
    found = np.empty(len(left), np.float32)
    for start in range(0, len(left), CHUNK):
        some = slice(start, start + CHUNK)
        found[some] = np.einsum("ij,ij->i", values[left[some]], values[right[some]])
    return found
