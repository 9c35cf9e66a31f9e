"""Training: a recipe, a loop that reads from top to bottom, and the measure that judges it."""
