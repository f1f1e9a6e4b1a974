"""Saving the leaves of PyTrees to files, and loading them back."""
