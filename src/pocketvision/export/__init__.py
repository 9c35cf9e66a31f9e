"""The one-file artifact: written with its record and goldens, verified without torch."""
