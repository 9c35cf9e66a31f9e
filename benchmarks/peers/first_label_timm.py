"""The shortest script that labels a photograph with timm: python first_label_timm.py photo.jpg."""

import sys

import timm
import torch
from PIL import Image

model = timm.create_model("mobilenetv1_100", pretrained=False).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
image = transform(Image.open(sys.argv[1]).convert("RGB")).unsqueeze(0)
with torch.inference_mode():
    print(int(model(image).argmax()))
