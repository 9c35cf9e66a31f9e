"""Single faults in the source, and the tests that should notice each: what the size of the test suite is judged by.

A fault is one snippet of the source replaced by another. A snippet stands once in the whole source, so files may move. `run.py`
puts the faults in one at a time and runs the tests.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        name: of a few words, with hyphens between them.
        breaks: what no longer holds.
        before, after: exact text of the source, and what takes its place.
        tests: files or tests that should fail, the quickest first; paths from the root of the repository.
        old_before, old_after: the same fault in a source that is written otherwise; empty: it is written so, too.
        old_tests: tests that only a tree with that source has.
    """

    name: str
    breaks: str
    before: str
    after: str
    tests: tuple[str, ...]
    old_before: str = ""
    old_after: str = ""
    old_tests: tuple[str, ...] = ()


# Where groups and copies are joined, in the old source.
OLD_UNITS = """        node = top(("hash", dataset.content_hash(index)))
        if group := dataset.samples[index].group:
            above[node] = top(("group", group))
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index in indices:
        members[top(("hash", dataset.content_hash(index)))].append(index)
"""

RUN = (
    Mutant(
        "ece-bins",
        "the calibration error has 15 bins",
        "bin_of = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)",
        "bin_of = np.digitize(confidence, np.linspace(0, 1, bins)[1:-1], right=True)",
        ("tests/unit/run/test_metrics.py",),
    ),
    Mutant(
        "threshold-keeps-half",
        "the threshold keeps 95 % of the right answers",
        "kept = max(1, ceil(keep * len(right) - 1e-9))",
        "kept = max(1, ceil(keep / 2 * len(right) - 1e-9))",
        ("tests/unit/run/test_metrics.py",),
    ),
    Mutant(
        "temperature-multiplies",
        "the temperature divides the logits, when they are judged",
        "plain, calibrated = softmax(logits), softmax(logits / calibration.temperature)",
        "plain, calibrated = softmax(logits), softmax(logits * calibration.temperature)",
        ("tests/unit/run/test_assess.py",),
        "calibrated = softmax(logits / temperature)",
        "calibrated = softmax(logits * temperature)",
        ("tests/unit/export/test_evaluate_file.py",),
    ),
    Mutant(
        "unknown-above-the-threshold",
        "an answer is unknown below the threshold",
        "bool(values[best[0]] < threshold)",
        "bool(values[best[0]] > threshold)",
        ("tests/unit/run/test_decode.py",),
    ),
    Mutant(
        "resize-filter",
        "images are resized by the bilinear filter",
        '"bilinear": Image.Resampling.BILINEAR',
        '"bilinear": Image.Resampling.BOX',
        ("tests/unit/run/test_images.py",),
    ),
    Mutant(
        "exif-ignored",
        "a photograph is turned upright",
        "turn = UPRIGHT.get(orientation)\n    upright = plain",
        "turn = None\n    upright = plain",
        ("tests/unit/run/test_images.py",),
    ),
    Mutant(
        "crop-at-the-corner",
        "a crop shows the middle",
        "starts = [round((side - resolution) / 2) for side in resized]",
        "starts = [0 for side in resized]",
        ("tests/unit/run/test_images.py",),
    ),
    Mutant(
        "goldens-in-another-order-of-classes",
        "the best five labels of goldens keep their places",
        "if not float(np.abs(row[list(top)] - now).max()) / largest <= goldens.tolerance:",
        "if False:",
        ("tests/unit/run/test_golden_images.py", "tests/unit/export/test_verify_file.py"),
        old_before="if not float(np.abs(row[list(top)] - now).max()) / scale <= goldens.tolerance:",
        old_after="if False:",
        old_tests=("tests/unit/run/test_artifact_record.py",),
    ),
    Mutant(
        "engine-without-goldens",
        "an engine that does not give the goldens is not taken",
        "problem = _problem(engine, record)",
        'problem = ""',
        ("tests/unit/run/test_fastest.py",),
    ),
    Mutant(
        "external-data-hidden",
        "a file that refers to other files is refused",
        "_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14",
        "_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 12, 15",
        ("tests/unit/run/test_wire.py",),
    ),
    Mutant(
        "frames-skipped",
        "every frame of a video is read",
        "        broken = 0\n        yield from frames\n",
        "        broken = 0\n        yield from frames[:1]\n",
        ("tests/unit/run/test_video.py",),
    ),
    Mutant(
        "noise-without-drift",
        "drift between blocks of rounds is noise",
        "noise = max(pair, drift, ",
        "noise = max(pair, ",
        ("tests/unit/run/test_timing.py",),
    ),
    Mutant(
        "json-key",
        "what labels are called as JSON stays",
        'return {"labels": labels, "unknown": self.unknown}',
        'return {"labels": labels, "is_unknown": self.unknown}',
        ("tests/unit/run/test_results.py",),
    ),
    Mutant(
        "paired-error-unpaired",
        "a difference between networks has the error of the images on which one alone is right",
        "return mean > errors * error",
        "return mean > 0",
        ("tests/unit/run/test_paired.py",),
        "if difference.mean() > CERTAIN * error:",
        "if difference.mean() > 0:",
        ("tests/unit/fit/test_contest.py",),
    ),
)

DATA = (
    Mutant(
        "labels-shifted",
        "a class has the label of its place in the list",
        "labels = {name: label for label, name in enumerate(classes)}\n",
        "labels = {name: label for label, name in enumerate(classes[1:] + classes[:1])}\n",
        ("tests/unit/data/test_folders.py",),
    ),
    Mutant(
        "table-labels-reversed",
        "an image of a table has the label of its record",
        'label_of[record["label"]]',
        '-1 - label_of[record["label"]] + len(classes)',
        ("tests/unit/data/test_table.py",),
    ),
    Mutant(
        "idx-order-of-bytes",
        "numbers of IDX files are big-endian",
        '0x0B: ">i2"',
        '0x0B: "<i2"',
        ("tests/unit/data/test_idx.py",),
    ),
    Mutant(
        "split-rounds-down",
        "a part has the whole number nearest to its share",
        "return int(number + 0.5)\n",
        "return int(number)\n",
        ("tests/unit/data/test_split.py",),
    ),
    Mutant(
        "groups-parted",
        "images of a group are in one part",
        'edges.append((index, f"group {group}"))',
        'edges.append((index, f"group {group} {index}"))',
        ("tests/unit/data/test_split.py",),
        'above[node] = top(("group", group))',
        'above[node] = top(("group", f"{group} {index}"))',
    ),
    Mutant(
        "copies-parted",
        "exact duplicates are in one part",
        'edges.append((index, f"hash {dataset.content_hash(index)}"))',
        'edges.append((index, f"hash {index}"))',
        ("tests/unit/data/test_split.py",),
        OLD_UNITS,
        OLD_UNITS.replace("dataset.content_hash(index)", "str(index)"),
    ),
    Mutant(
        "duplicates-across-parts-unsaid",
        "duplicates across parts are a warning",
        "if len({sample.part for sample in samples}) > 1:",
        "if len({sample.part for sample in samples}) > 2:",
        ("tests/unit/data/test_check.py",),
    ),
    Mutant(
        "look-alikes-by-hash-alone",
        "near-duplicates are alike as pictures",
        "LEAST_CORRELATION = 0.99",
        "LEAST_CORRELATION = -1.0",
        ("tests/unit/data/test_duplicates.py",),
    ),
    Mutant(
        "manifest-by-size",
        "a run notices an image of other content",
        "if before[key].sha256 != after[key].sha256]",
        "if before[key].size_bytes != after[key].size_bytes]",
        ("tests/unit/data/test_manifest.py",),
    ),
    Mutant(
        "pixel-cache-whatever-the-preprocessing",
        "cached pixels are those of the same preprocessing",
        "made_from = [VERSION, shape, preprocessing.to_json(), [",
        "made_from = [VERSION, shape, [",
        ("tests/unit/data/test_pixel_cache.py",),
    ),
    Mutant(
        "same-order-each-epoch",
        "each epoch visits the images in another order",
        "np.random.default_rng([seed, epoch, 0]).permutation(count)",
        "np.random.default_rng([seed, 0]).permutation(count)",
        ("tests/unit/data/test_geometry.py", "tests/unit/train/test_batches.py"),
        old_tests=("tests/unit/data/test_loader.py",),
    ),
)

MODEL = (
    Mutant(
        "batch-norm-eps-in-training",
        "batch norm adds the graph's epsilon to the variance",
        "nn.BatchNorm2d(op.out_channels, eps=op.batch_norm_eps)",
        "nn.BatchNorm2d(op.out_channels)",
        ("tests/contracts/test_folding.py", "tests/contracts/test_export.py"),
    ),
    Mutant(
        "batch-norm-eps-in-the-file",
        "folding adds the graph's epsilon to the variance",
        'np.sqrt(vector("bn.running_var") + op.batch_norm_eps)',
        'np.sqrt(vector("bn.running_var"))',
        ("tests/contracts/test_folding.py",),
    ),
    Mutant(
        "batch-norm-eps-of-torchvision",
        "a source's weights are used with its epsilon",
        '"torchvision": Conventions(padding="symmetric", batch_norm_eps=1e-5,',
        '"torchvision": Conventions(padding="symmetric", batch_norm_eps=1e-3,',
        ("tests/contracts/test_equivalence.py::test_torchvision",),
    ),
    Mutant(
        "mean-and-std-of-torchvision",
        "a source's weights are used with its mean and standard deviation",
        '"torchvision": Conventions(padding="symmetric", batch_norm_eps=1e-5, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)',
        '"torchvision": Conventions(padding="symmetric", batch_norm_eps=1e-5, mean=_IMAGENET_STD, std=_IMAGENET_MEAN)',
        ("tests/contracts/test_equivalence.py::test_torchvision",),
    ),
    Mutant(
        "padding-on-the-other-side",
        "TensorFlow's padding is larger at the bottom and right",
        "(top, left), (bottom, right) = (n // 2 for n in sides), (n - n // 2 for n in sides)",
        "(top, left), (bottom, right) = (n - n // 2 for n in sides), (n // 2 for n in sides)",
        ("tests/contracts/test_equivalence.py::test_transformers", "tests/contracts/test_equivalence.py"),
    ),
    Mutant(
        "padding-of-dilated-kernels",
        "padding grows with the dilation",
        "top, left = (dilation[axis] * (kernel[axis] - 1) // 2 for axis in (0, 1))",
        "top, left = ((kernel[axis] - 1) // 2 for axis in (0, 1))",
        ("tests/unit/model/test_builder.py", "tests/contracts/test_features.py"),
    ),
    Mutant(
        "stride-in-every-copy",
        "only the first copy of a row has its stride",
        "stride = row.stride if number == 0 else 1",
        "stride = row.stride",
        ("tests/unit/model/test_resolve.py", "tests/contracts/test_claims.py"),
    ),
    Mutant(
        "stride-of-a-row",
        "the strides are the paper's",
        "        row(c=256, n=1, s=2),\n        row(c=256, n=1, s=1),\n",
        "        row(c=256, n=1, s=1),\n        row(c=256, n=1, s=2),\n",
        ("tests/contracts/test_claims.py",),
    ),
    Mutant(
        "squeeze-ratio",
        "a gate squeezes to a quarter of the channels",
        "squeeze=0.25 if se else None",
        "squeeze=0.5 if se else None",
        ("tests/contracts/test_claims.py",),
    ),
    Mutant(
        "width-rounded-down-too-far",
        "rounding to 8 takes at most a tenth of the channels away",
        "return rounded if rounded >= 0.9 * product else rounded + 8",
        "return rounded",
        ("tests/contracts/test_claims.py",),
    ),
    Mutant(
        "channel-dropped",
        "a grouped convolution's pieces hold all channels",
        "stop=start + size,",
        "stop=start + max(1, size - 1),",
        ("tests/contracts/test_readers_know_all_ops.py",),
    ),
    Mutant(
        "shuffle-transposed",
        "a shuffle reads the table of groups column by column",
        "x.reshape(n, groups, c // groups, height, width)",
        "x.reshape(n, c // groups, groups, height, width)",
        ("tests/unit/model/test_network.py",),
    ),
    Mutant(
        "hard-swish-is-swish",
        "hard-swish is that of MobileNetV3",
        "return F.hardswish(x)",
        "return F.silu(x)",
        ("tests/contracts/test_readers_know_all_ops.py", "tests/contracts/test_export.py"),
    ),
    Mutant(
        "hard-sigmoid-slope",
        "hard-sigmoid in the file has the slope 1/6",
        'writer.node("HardSigmoid", [x], name, alpha=ops.GATE_SLOPE, beta=0.5)',
        'writer.node("HardSigmoid", [x], name, alpha=0.2, beta=0.5)',
        ("tests/contracts/test_readers_know_all_ops.py", "tests/contracts/test_export.py"),
    ),
    Mutant(
        "normalised-in-another-order",
        "the mean is taken from the pixels before they are scaled",
        "return (x - x.new_tensor(mean)[:, None, None]) * (1 / x.new_tensor(std)[:, None, None])",
        "return x * (1 / x.new_tensor(std)[:, None, None]) - x.new_tensor(mean)[:, None, None]",
        ("tests/unit/model/test_network.py", "tests/contracts/test_export.py"),
    ),
    Mutant(
        "temperature-multiplies-in-the-file",
        "the temperature divides the logits in the file",
        'writer.node("Div", ["logits", scale], "logits.calibrated")',
        'writer.node("Mul", ["logits", scale], "logits.calibrated")',
        ("tests/contracts/test_export.py::test_probabilities_are_the_softmax_of_logits_over_temperature",),
    ),
    Mutant(
        "trailing-channels-cut-out",
        "a cut takes the leading channels",
        "{space.name: np.zeros(space.size) for space in spaces(wide)}",
        "{space.name: np.arange(space.size) for space in spaces(wide)}",
        ("tests/unit/model/test_rewrite.py",),
        "sorted(int(i) for key, n in counts.items() for i in space.parts[key][:n])",
        "sorted(int(i) for key, n in counts.items() for i in space.parts[key][len(space.parts[key]) - n :])",
    ),
    Mutant(
        "least-important-channels-kept",
        "a narrower start keeps the most important channels",
        "sorted(part.tolist(), key=lambda i: -weight[i])",
        "sorted(part.tolist(), key=lambda i: weight[i])",
        ("tests/unit/model/test_transfer.py",),
        "key=lambda i: -weight[space.name][i]) for key in counts}",
        "key=lambda i: weight[space.name][i]) for key in counts}",
    ),
    Mutant(
        "spaces-shuffled-backwards",
        "channels are followed through a shuffle",
        "return inputs[0].reshape(groups, -1).T.reshape(-1)",
        "return inputs[0].reshape(-1, groups).T.reshape(-1)",
        ("tests/unit/model/test_spaces.py",),
    ),
    Mutant(
        "zero-point-off-by-one",
        "the file's zero points are the network's",
        'np.asarray(writer.arrays[f"{owner}.zero_point"])',
        '(np.asarray(writer.arrays[f"{owner}.zero_point"]) + 1)',
        ("tests/unit/model/test_fake_quant.py",),
    ),
    Mutant(
        "grey-filters-unscaled",
        "filters for grey images obey the standard deviations of the colours",
        "grey = (weight * std.mean() / std).sum(axis=1, keepdims=True)",
        "grey = weight.sum(axis=1, keepdims=True)",
        ("tests/unit/model/test_transfer.py",),
    ),
    Mutant(
        "half-of-hes-variance",
        "filters begin with He's variance",
        "std = math.sqrt(2 / fan_in)",
        "std = math.sqrt(1 / fan_in)",
        ("tests/unit/model/test_init.py",),
    ),
    Mutant(
        "damaged-weights-taken",
        "weights whose name states another digest are refused",
        "if stated and not found.startswith(stated):",
        "if False:",
        (
            "tests/end_to_end/test_published_weights.py::test_a_damaged_file_is_named",
            "tests/unit/model/test_weights.py",
        ),
    ),
    Mutant(
        "kernel-without-its-last-row",
        "the depthwise kernel in C reaches the last row of the gradient",
        "if (oy < 0 || oy >= s->out_height) continue;",
        "if (oy < 0 || oy >= s->out_height - 1) continue;",
        ("tests/unit/model/test_kernels.py",),
    ),
    Mutant(
        "kernel-cuts-bfloat16-off",
        "the depthwise kernel in C rounds bfloat16 to the nearest",
        "(words)values, rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;",
        "(words)values, rounded = bits >> 16;",
        ("tests/unit/model/test_kernels.py",),
    ),
    Mutant(
        "kernel-of-hard-swish",
        "the batch-norm kernel in C has the slope of hard-swish",
        "z * (1.0f / 3.0f) + 0.5f : 1.0f;",
        "z * (1.0f / 6.0f) + 0.5f : 1.0f;",
        ("tests/unit/model/test_kernels.py",),
    ),
)

COST = (
    Mutant(
        "macs-of-groups",
        "groups divide the multiply-adds",
        "return prod(shape) * prod(kernel) * (op.in_channels // op.groups)",
        "return prod(shape) * prod(kernel) * op.in_channels",
        ("tests/unit/cost/test_count.py",),
    ),
    Mutant(
        "memory-without-the-image",
        "the image is alive until it is read",
        'alive = {"image"}',
        "alive = set[str]()",
        ("tests/unit/cost/test_memory.py",),
    ),
    Mutant(
        "budget-the-other-way-round",
        "a limit is missed by what is above it",
        "(spent.of(name) or 0.0) > limit]",
        "(spent.of(name) or 0.0) < limit]",
        ("tests/unit/cost/test_budget_limits.py",),
    ),
    Mutant(
        "budget-without-noise",
        "a latency is judged with its noise",
        "return None if self.latency_ms is None else self.latency_ms + self.noise_ms",
        "return None if self.latency_ms is None else self.latency_ms",
        ("tests/unit/cost/test_budget_limits.py", "tests/unit/choose/test_candidates.py"),
    ),
    Mutant(
        "latency-from-the-other-side",
        "a latency between two widths follows the multiply-adds",
        "a.latency_ms + share * (b.latency_ms - a.latency_ms)",
        "b.latency_ms - share * (b.latency_ms - a.latency_ms)",
        ("tests/unit/cost/test_device_file.py",),
    ),
    Mutant(
        "bytes-of-an-int8-channel",
        "a channel of an int8 layer has bias and steps of 12 bytes",
        "CHANNEL_BYTES = 12",
        "CHANNEL_BYTES = 8",
        ("tests/unit/cost/test_int8_cost.py",),
        old_tests=("tests/unit/cost/test_integers.py",),
    ),
)

CHOOSE = (
    Mutant(
        "likeliest-last",
        "the likeliest best candidate comes first",
        "return -round(candidate.expected_top1), ",
        "return round(candidate.expected_top1), ",
        ("tests/unit/choose/test_candidates.py",),
    ),
    Mutant(
        "all-are-finalists",
        "three networks are tried",
        "return list(tried.values())[:FINALISTS]",
        "return list(tried.values())",
        ("tests/unit/choose/test_search.py",),
    ),
    Mutant(
        "screen-lets-all-through",
        "what is over the budget is out",
        "candidate if candidate.dropped else candidate.drop(_reason(candidate, budget)) for candidate in candidates",
        "candidate for candidate in candidates",
        ("tests/unit/choose/test_search.py",),
    ),
    Mutant(
        "dearest-of-equals",
        "of cuts that are as good the cheapest is picked",
        "return min((cut for cut in fitting if is_as_good(cut.right, best.right)), key=lambda cut: cut.cost)",
        "return max((cut for cut in fitting if is_as_good(cut.right, best.right)), key=lambda cut: cut.cost)",
        ("tests/unit/choose/test_front.py",),
        "return min((cut for cut in fitting if is_as_good(cut, best)), key=lambda cut: cut.cost)",
        "return max((cut for cut in fitting if is_as_good(cut, best)), key=lambda cut: cut.cost)",
    ),
    Mutant(
        "pixels-for-nothing",
        "resolution above that of the images earns nothing",
        "math.log(count(graph).macs / excess**2)",
        "math.log(count(graph).macs)",
        ("tests/unit/choose/test_prior.py",),
    ),
)

TRAIN = (
    Mutant(
        "decay-on-batch-norm",
        "weight decay acts on weights alone",
        'decay = weight_decay if parameter.role == "weight" else 0.0',
        'decay = weight_decay if parameter.role in ("weight", "scale") else 0.0',
        ("tests/unit/train/test_optimizer.py",),
    ),
    Mutant(
        "schedule-ends-early",
        "the rate ends at zero",
        "math.cos(math.pi * min(1.0, rest))",
        "math.cos(math.pi * min(0.9, rest))",
        ("tests/unit/train/test_schedule.py",),
    ),
    Mutant(
        "no-warm-up",
        "the rate rises from zero",
        "if progress < recipe.warmup:",
        "if progress < 0:",
        ("tests/unit/train/test_schedule.py",),
    ),
    Mutant(
        "average-without-ramp",
        "averaged weights forget the first steps sooner",
        "decay = min(self.decay, (1 + self.steps) / (10 + self.steps))",
        "decay = self.decay",
        ("tests/unit/train/test_optimizer.py",),
    ),
    Mutant(
        "class-weights-not-normalised",
        "class weights have mean 1 over the images",
        "(weights / weights[labels].mean()).astype(np.float32)",
        "weights.astype(np.float32)",
        ("tests/unit/train/test_loss.py",),
    ),
    Mutant(
        "augmented-as-in-the-first-epoch",
        "an epoch draws its own augmentation",
        "draws(seed, epoch, len(pixels))",
        "draws(seed, 0, len(pixels))",
        ("tests/unit/train/test_batches.py",),
        old_tests=("tests/unit/data/test_loader.py",),
    ),
    Mutant(
        "mirrored-when-forbidden",
        "images are mirrored where that is allowed",
        "if augmentation.flip:",
        "if True:",
        ("tests/unit/train/test_augment.py",),
        old_tests=("tests/unit/data/test_augment.py",),
    ),
    Mutant(
        "statistics-of-a-lost-batch",
        "a batch without a finite loss leaves no statistics",
        "buffer.copy_(before)",
        "buffer.copy_(buffer)",
        ("tests/unit/train/test_loop.py",),
    ),
    Mutant(
        "stale-dropout",
        "a resumed training draws the same dropout",
        'torch.set_rng_state(snapshot.tensors["random"])',
        "torch.get_rng_state()",
        ("tests/unit/train/test_loop.py",),
    ),
    Mutant(
        "damaged-checkpoint-taken",
        "a checkpoint of other bytes is passed over",
        'if hashlib.sha256(content).hexdigest() != numbers.pop("sha256"):',
        'if not numbers.pop("sha256"):',
        ("tests/unit/train/test_checkpoint.py",),
    ),
    Mutant(
        "statistics-of-the-last-batches",
        "batch-norm statistics are the mean of all batches",
        "module.momentum = None  # the mean of all batches",
        "module.momentum = 0.5",
        ("tests/unit/train/test_statistics.py",),
        old_tests=("tests/unit/elastic/test_statistics.py",),
    ),
    Mutant(
        "probe-of-raw-features",
        "the classifier is fitted on standardised features",
        "undone = weight / std",
        "undone = weight * std",
        ("tests/unit/jobs/test_classifier.py",),
        old_tests=("tests/unit/fit/test_head.py",),
    ),
)

ELASTIC = (
    Mutant(
        "sandwich-without-the-narrowest",
        "the narrowest sub-network learns in every step",
        "picked = [widths[0], *spread(rng, widths[1:] or widths, RANDOM)]",
        "picked = [*spread(rng, widths[1:] or widths, RANDOM + 1)]",
        ("tests/unit/elastic/test_train.py",),
        "picked = [widths[0], *spread(rng, widths[1:] or widths, self.options.random)]",
        "picked = [*spread(rng, widths[1:] or widths, self.options.random + 1)]",
    ),
    Mutant(
        "distilled-at-another-temperature",
        "sub-networks learn from the largest network's own probabilities",
        "answers = F.softmax(logits.detach().float(), 1)",
        "answers = F.softmax(logits.detach().float() / 2, 1)",
        ("tests/unit/elastic/test_train.py",),
        "answers = F.softmax(logits.detach().float() / self.options.temperature, 1)",
        "answers = F.softmax(logits.detach().float() / 2, 1)",
    ),
    Mutant(
        "sub-networks-keep-statistics",
        "only the largest network keeps batch-norm statistics",
        "module.track_running_stats = not network.training",
        "module.track_running_stats = True",
        ("tests/unit/elastic/test_train.py", "tests/contracts/test_sub_networks.py"),
    ),
)

COMPRESS = (
    Mutant(
        "gate-always-passes",
        "a network that lost too much does not pass",
        "return not self.problems",
        "return True",
        ("tests/unit/compress/test_gate.py",),
    ),
    Mutant(
        "gate-without-agreement",
        "on few images labels must agree, too",
        "if images < FEW_IMAGES and agreement < ",
        "if images < 0 and agreement < ",
        ("tests/unit/compress/test_gate.py",),
    ),
    Mutant(
        "biases-corrected-the-wrong-way",
        "what rounding moves is taken out of the bias",
        "- (by_input * means).sum(axis=1)).astype(np.float32)",
        "+ (by_input * means).sum(axis=1)).astype(np.float32)",
        ("tests/unit/compress/test_rungs.py",),
        old_tests=("tests/end_to_end/test_ladder.py",),
    ),
    Mutant(
        "biases-not-corrected",
        "equalised networks have their biases corrected",
        "scaled = correct_biases(int8, scaled, values) if corrects else scaled",
        "scaled = correct_biases(int8, scaled, values) if False else scaled",
        ("tests/unit/compress/test_rungs.py",),
        "            if corrects:\n",
        "            if False:\n",
        old_tests=("tests/end_to_end/test_ladder.py",),
    ),
    Mutant(
        "percentile-of-another-share",
        "the percentile range keeps 99.99 % of the values",
        "KEPT = 0.9999",
        "KEPT = 0.9",
        ("tests/unit/compress/test_ranges.py",),
    ),
    Mutant(
        "equalised-halfway",
        "equalised channels reach alike",
        "np.sqrt(reach / np.where(alive, read, 1.0))",
        "np.sqrt(np.sqrt(reach / np.where(alive, read, 1.0)))",
        ("tests/unit/compress/test_equalise.py",),
    ),
    Mutant(
        "last-rung-taken",
        "the best rung of the ladder is taken",
        "if found.verdict.passes or found.verdict.drop < best.verdict.drop:",
        "if True:",
        ("tests/unit/compress/test_rungs.py",),
        old_tests=("tests/end_to_end/test_ladder.py",),
    ),
)

EXPORT = (
    Mutant(
        "verified-without-goldens",
        "verify compares the goldens",
        "checks.append(_golden_check(predictor))",
        'checks.append(Check("goldens", ""))',
        ("tests/unit/export/test_verify_file.py",),
    ),
    Mutant(
        "verified-without-nodes",
        "verify compares the structure",
        'same = stated.get("nodes") == found["nodes"]',
        "same = True",
        ("tests/unit/export/test_verify_file.py",),
    ),
    Mutant(
        "sealed-without-digests",
        "a file states the digests of its parts",
        "replace(record, digests=digests(proto, record)).to_json()",
        "replace(record, digests={}).to_json()",
        ("tests/unit/export/test_write_artifact.py",),
    ),
    Mutant(
        "written-whatever-the-difference",
        "a file whose logits differ is not written",
        "if not parity.difference <= PARITY_TOLERANCE or parity.same_top1 < parity.images:",
        "if parity.same_top1 < parity.images:",
        ("tests/unit/export/test_write_artifact.py",),
    ),
    Mutant(
        "evaluated-on-the-wrong-part",
        "a test part is the one to evaluate on",
        'part = "test" if has_test else "validation" if own else "all"',
        'part = "validation" if own else "all"',
        ("tests/unit/export/test_evaluate_file.py",),
    ),
    Mutant(
        "classes-matched-by-place",
        "classes are matched by name",
        "return np.array([known[name] for name in dataset.classes], np.int64)[dataset.labels]",
        "return dataset.labels",
        ("tests/unit/export/test_evaluate_file.py",),
    ),
)

REPORT_EXPLAIN_CLI = (
    Mutant(
        "html-unescaped",
        "nothing from the data becomes HTML",
        "return html.escape(str(value), quote=True)",
        "return str(value)",
        ("tests/unit/report/test_report_render.py",),
        old_tests=("tests/unit/fit/test_report_render.py",),
    ),
    Mutant(
        "recall-of-the-answers",
        "recall is the share of a class's images",
        "return self.right / self.images if self.images else None",
        "return self.right / self.answered if self.answered else None",
        ("tests/unit/report", "tests/end_to_end/test_report_page.py"),
        old_tests=("tests/unit/fit/test_report_facts.py", "tests/unit/fit/test_report_render.py"),
    ),
    Mutant(
        "reduction-upside-down",
        "the reduction is the separable cost over the standard one",
        "separable / standard, ",
        "standard / separable, ",
        ("tests/unit/explain/test_explain_numbers.py", "tests/golden/test_explain.py"),
        old_tests=("tests/unit/cost/test_explain_numbers.py",),
    ),
    Mutant(
        "exit-code",
        "each kind of error has its exit code",
        "return _fail(type(error).__name__, str(error), error.exit_code, debug)",
        "return _fail(type(error).__name__, str(error), 1, debug)",
        ("tests/unit/cli/test_app.py", "tests/unit/cli/test_data_command.py"),
    ),
    Mutant(
        "clean-exit-with-findings",
        "a check with findings ends with 1",
        "    if checked.findings:\n        raise typer.Exit(1)",
        "    if checked.findings:\n        raise typer.Exit(0)",
        ("tests/unit/cli/test_data_command.py",),
    ),
    Mutant(
        "known-is-unknown-in-csv",
        "CSV says which answers are unknown",
        "rows.writerow([name, str(labels.unknown).lower(), *cells])",
        "rows.writerow([name, str(not labels.unknown).lower(), *cells])",
        ("tests/end_to_end/test_predict_command.py",),
    ),
)

JOBS = (
    Mutant(
        "compressed-whatever-is-lost",
        "an int8 network that does not pass is not written",
        "if not climbed.verdict.passes:\n        allowing = ",
        "if False:\n        allowing = ",
        ("tests/unit/jobs/test_compress_file.py",),
        old_tests=("tests/unit/fit/test_compress_file.py",),
    ),
    Mutant(
        "no-limit-of-time",
        "a job takes fifteen minutes unless time or epochs are asked for",
        "if self.minutes is None and self.epochs is None:",
        "if self.minutes is None and self.epochs is not None:",
        ("tests/unit/jobs/test_options.py",),
        old_tests=("tests/unit/fit/test_options.py",),
    ),
    Mutant(
        "plan-without-reserve",
        "the time that later parts take is reserved",
        "for later in ORDER[ORDER.index(part) + 1 :])",
        "for later in ORDER[ORDER.index(part) + 2 :])",
        ("tests/unit/jobs/test_plan.py",),
        "stop_by = deadline - finish\n",
        "stop_by = deadline\n",
        ("tests/unit/fit/test_plan.py",),
    ),
    Mutant(
        "rate-whatever-the-batch",
        "a smaller batch has a smaller rate",
        "lr = recipe.lr if options.lr is not None else recipe.lr * batch_size / recipe.batch_size",
        "lr = recipe.lr",
        ("tests/unit/jobs/test_plan.py",),
        old_tests=("tests/unit/fit/test_plan.py",),
    ),
    Mutant(
        "letters-mirrored",
        "letters and digits are not mirrored",
        "if all(_is_written(name) for name in names):",
        "if False:",
        ("tests/unit/jobs/test_plan.py",),
        old_before="if all(len(name) == 1 for name in classes):",
        old_after="if False:",
        old_tests=("tests/unit/fit/test_plan.py",),
    ),
    Mutant(
        "no-noise-in-trials",
        "the prior is overruled by what is no noise",
        "if is_better(hits[challenger], hits[winner], CERTAIN):",
        "if is_better(hits[challenger], hits[winner], 0.0):",
        ("tests/unit/jobs/test_trials.py",),
        "if difference.mean() > CERTAIN * error:",
        "if difference.mean() > 0.0 * error:",
        ("tests/unit/fit/test_contest.py",),
    ),
    Mutant(
        "all-images-take-over",
        "half of what the epochs on all images change is kept",
        "SHARE_OF_ALL = 0.5",
        "SHARE_OF_ALL = 1.0",
        ("tests/end_to_end/test_transfer_learning.py",),
    ),
    Mutant(
        "spoilt-by-fine-tuning",
        "what validation likes best is kept of fine-tuning",
        "best = int(np.argmin(losses[is_new:])) + is_new",
        "best = len(losses) - 1",
        ("tests/end_to_end/test_transfer_learning.py::test_what_fine_tuning_spoilt_is_not_kept",),
        "best = int(np.argmin(losses[has_drawn:])) + has_drawn",
        "best = len(losses) - 1",
    ),
    Mutant(
        "careful-measurement-left-out",
        "what is over its limit is measured again with care",
        "if limit is not None and latency.median_ms + latency.noise_ms > limit:",
        "if False:",
        ("tests/unit/jobs/test_measure_file.py",),
        "if limit_ms is not None and latency.median_ms + latency.noise_ms > limit_ms:",
        "if False:",
        ("tests/unit/fit/test_measure_file.py",),
    ),
    Mutant(
        "missed-budget-unsaid",
        "a finished file over its budget is an error",
        "    missed = budget.missed(spent)\n    if missed:\n        limits = ",
        "    missed = budget.missed(spent)\n    if False:\n        limits = ",
        ("tests/unit/jobs/test_measure_file.py", "tests/end_to_end/test_budget.py"),
        old_tests=("tests/unit/fit/test_measure_file.py",),
    ),
    Mutant(
        "weights-of-8-bits-anywhere",
        "7-bit weights are for processors whose sums of 8 bits overflow",
        'return not flags & {"avx2", "sse4_1"} or bool(flags & {"avx512_vnni", "avx_vnni"})',
        "return True",
        ("tests/unit/jobs/test_compress_file.py",),
        old_tests=("tests/unit/fit/test_compress_file.py",),
    ),
    Mutant(
        "test-part-calibrates-itself",
        "the test part is judged with the calibration of the validation part",
        'calibration = found["validation"].calibration\n        found["test"]',
        'calibration = None\n        found["test"]',
        ("tests/unit/jobs/test_parts.py", "tests/end_to_end/test_photographs.py"),
        'scores["test"] = score(logits, test.labels, "test", temperature, threshold)',
        'scores["test"] = score(logits, test.labels, "test", fit_temperature(logits, test.labels), threshold)',
    ),
    Mutant(
        "cuts-without-statistics",
        "a cut has batch-norm statistics of its own",
        "**self.statistics.get(graph.name, {}),",
        "**{},",
        ("tests/end_to_end/test_elastic.py::test_a_cuts_statistics_are_its_own", "tests/end_to_end/test_elastic.py"),
    ),
    Mutant(
        "damaged-cuts-taken",
        "stored weights of other bytes are refused",
        "if hashlib.sha256(content).hexdigest() != sha256:",
        "if not sha256:",
        ("tests/end_to_end/test_elastic.py::test_runs_without_cuts", "tests/end_to_end/test_elastic.py"),
    ),
    Mutant(
        "two-jobs-in-one-folder",
        "one process works in a run folder",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        ("tests/unit/jobs/test_run_folder.py",),
        old_tests=("tests/unit/fit/test_rundir.py",),
    ),
    Mutant(
        "log-longer-than-its-checkpoint",
        "a resumed run has the log of its checkpoint",
        '.split(b"\\n")[: self.lines]',
        '.split(b"\\n")',
        ("tests/unit/jobs/test_run_folder.py",),
        old_tests=("tests/unit/fit/test_rundir.py",),
    ),
    Mutant(
        "stale-checkpoint",
        "a later training takes up only what started from the same weights",
        'if snapshot is not None and snapshot.numbers["origin"] != origin:',
        "if False:",
        ("tests/end_to_end/test_transfer_learning.py",),
    ),
    Mutant(
        "resumed-with-other-options",
        "a run is resumed with the options it began with",
        "if was.get(name) != asked[name]]",
        "if name not in was]",
        ("tests/end_to_end/test_interrupts_of_fit.py::test_other_options_are_refused",),
    ),
)

MUTANTS = (
    *RUN,
    *DATA,
    *MODEL,
    *COST,
    *CHOOSE,
    *TRAIN,
    *ELASTIC,
    *COMPRESS,
    *EXPORT,
    *REPORT_EXPLAIN_CLI,
    *JOBS,
)
