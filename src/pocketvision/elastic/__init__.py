"""One training for all sizes: the space of widths and resolutions, sub-networks as slices, the sandwich rule."""
