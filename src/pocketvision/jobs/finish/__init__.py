"""From a trained network to a finished file."""
