"""The device side: decode, run, interpret. Needs numpy, Pillow and one engine; nothing heavier is imported."""
