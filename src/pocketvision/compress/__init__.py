"""From an fp32 network to int8: scales, what helps where they are not enough, and the gate that decides."""
