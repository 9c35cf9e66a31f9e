"""Jobs: one file a verb, and the rooms behind it."""
