"""Networks as data: a family is rows, `resolve` makes them a Graph, everything else reads the Graph."""
