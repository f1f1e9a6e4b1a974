"""What a model consists of and what its parts do, as a table: `tree_summary`."""
