"""What a network costs: counted from its Graph, without torch."""
