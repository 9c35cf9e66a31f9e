"""All sizes of an elastic run."""
