"""What torch does slowly in training on a CPU, in C: compiled where it runs; torch does it if that fails."""
