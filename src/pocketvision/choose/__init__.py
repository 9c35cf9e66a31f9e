"""The choice: which network, among those that can be had."""
