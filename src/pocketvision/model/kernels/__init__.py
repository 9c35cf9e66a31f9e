"""What torch does slowly in training on a CPU, in C: compiled where it runs, and left to torch where that cannot be."""
