"""`inference_mode`: what `tree_inference` is called among the layers."""

from typing import Final

from .._tree.inference import tree_inference

inference_mode: Final = tree_inference
