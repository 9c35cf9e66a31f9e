"""The trainings of a run."""
