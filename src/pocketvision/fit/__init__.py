"""The main job from top to bottom: images in, one verified file out."""
