"""The shortest script that labels a photograph with torchvision: python first_label_torchvision.py photo.jpg."""

import sys

import torch
from PIL import Image
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

model = mobilenet_v2(weights=None).eval()
transform = MobileNet_V2_Weights.IMAGENET1K_V2.transforms()
image = transform(Image.open(sys.argv[1]).convert("RGB")).unsqueeze(0)
with torch.inference_mode():
    print(int(model(image).argmax()))
