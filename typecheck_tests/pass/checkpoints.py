"""Train, save now and then, and go on from the last checkpoint, with hyperparameters in the same file."""

import json
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    mlp: eqx.nn.MLP
    steps: int

    def __init__(self, width: int, *, key: Array) -> None:
        self.mlp = eqx.nn.MLP(2, 1, width, depth=1, key=key)
        self.steps = 0

    def __call__(self, x: Array) -> Array:
        return self.mlp(x)


def save(path: Path, hyperparameters: dict[str, int], model: Model) -> None:
    with path.open("wb") as file:
        file.write(json.dumps(hyperparameters).encode() + b"\n")
        eqx.tree_serialise_leaves(file, model)


def load(path: Path) -> Model:
    with path.open("rb") as file:
        hyperparameters: dict[str, int] = json.loads(file.readline().decode())
        model = Model(hyperparameters["width"], key=jax.random.key(0))
        return eqx.tree_deserialise_leaves(file, model)


def main() -> None:
    model = Model(8, key=jax.random.key(1))
    x = jnp.ones(2)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "model.bin", {"width": 8}, model)
        assert load(Path(folder) / "model.bin")(x) == model(x)
        eqx.tree_serialise_leaves(Path(folder) / "model", model)
        like = Model(8, key=jax.random.key(2))
        loaded, report = eqx.tree_deserialise_leaves(Path(folder) / "model", like, strict=False)
        assert not report.missing
        assert loaded(x) == model(x)
        eqx.save_safetensors(Path(folder) / "weights", model.mlp)
        mlp = eqx.load_safetensors(Path(folder) / "weights", like.mlp)
        assert mlp(x) == model(x)


main()
