"""From a float network to one in integers: scales, what helps where they are not enough, and the gate that decides."""
