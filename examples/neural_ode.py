"""Learn how hares and lynxes live on each other, from 21 years of furs: a neural differential equation, with Diffrax.

The Hudson's Bay Company counted the furs of snowshoe hares and of Canadian lynxes that it bought each year. The numbers
rise and fall in turn, every ten years or so: lynxes eat hares until there are too few of them. Here, a small network
says how fast each population grows, given both of them (Chen et al., "Neural ordinary differential equations", 2018).
It is trained on the first years to get from the numbers of each year to those of the next ones, and then foretells the
last years. In the end there is a table, and a picture: the furs over time, and what the network has learnt.
"""

import argparse
from pathlib import Path
from typing import Final, NamedTuple

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.figure import Figure
from tqdm import tqdm

import equinox as eqx

OUTPUT: Final = Path(__file__).parent / "output" / "neural_ode.png"

FIRST_YEAR: Final = 1900
#: Thousands of furs in each year from 1900 to 1920 (Elton and Nicholson, "The ten-year cycle in numbers of the lynx in
#: Canada", 1942; the figures are those of Howard, "Modeling basics", 2009).
HARES: Final = (
    30,
    47.2,
    70.2,
    77.4,
    36.3,
    20.6,
    18.1,
    21.4,
    22,
    25.4,
    27.1,
    40.3,
    57,
    76.6,
    52.3,
    19.5,
    11.2,
    7.6,
    14.6,
    16.2,
    24.7,
)
LYNXES: Final = (
    4,
    6.1,
    9.8,
    35.2,
    59.4,
    41.7,
    19,
    13,
    8.3,
    9.1,
    7.4,
    8,
    12.3,
    19.5,
    45.7,
    51.1,
    29.7,
    15.8,
    9.7,
    10.1,
    8.6,
)


class Growth(eqx.Module):
    """The relative growth of both populations, per year, where their logarithms are `log_furs`, of shape `(2,)`."""

    network: eqx.nn.MLP

    def __init__(self, width: int, *, key: Array) -> None:
        self.network = eqx.nn.MLP(2, 2, width, depth=2, activation=jnp.tanh, key=key)

    def __call__(self, t: object, log_furs: Array, args: object) -> Array:
        """The derivative of the logarithms with respect to time. It does not depend on the time itself."""
        return self.network(log_furs - 3)


def foretell(growth: Growth, log_furs: Array, years: Array) -> Array:
    """What the furs become, years later: shape `(len(years), 2)`."""
    solution = dfx.diffeqsolve(
        dfx.ODETerm(growth),
        dfx.Tsit5(),
        t0=0.0,
        t1=years[-1],
        dt0=0.1,
        y0=log_furs,
        saveat=dfx.SaveAt(ts=years),
        stepsize_controller=dfx.PIDController(rtol=1e-3, atol=1e-3),
    )
    return jnp.asarray(solution.ys)


@eqx.filter_value_and_grad
def loss(growth: Growth, windows: Array, decay: float) -> Array:
    """How wrong the network is about what follows the first year of each window, of shape `(count, years, 2)`."""
    years = jnp.arange(1.0, windows.shape[1])
    foretold = jax.vmap(foretell, in_axes=(None, 0, None))(growth, windows[:, 0], years)
    weights = [leaf for leaf in jax.tree.leaves(growth) if eqx.is_inexact_array(leaf) and leaf.ndim == 2]
    return jnp.mean((foretold - windows[:, 1:]) ** 2) + decay * sum(jnp.sum(weight**2) for weight in weights)


@eqx.filter_jit
def train_step(
    growth: Growth, optimiser: optax.GradientTransformation, state: optax.OptState, windows: Array, decay: float
) -> tuple[Growth, optax.OptState, Array]:
    """One step of training, on all windows."""
    value, gradient = loss(growth, windows, decay)
    updates, state = optimiser.update(gradient, state)
    return eqx.apply_updates(growth, updates), state, value


def draw(log_furs: Array, curve: Array, training_years: int, growth: Growth) -> Figure:
    """Draw the furs over time, and where each pair of populations is heading."""
    figure = Figure(figsize=(12, 4.2), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    years = FIRST_YEAR + np.arange(len(log_furs))
    times = FIRST_YEAR + np.linspace(0, len(log_furs) - 1, len(curve))
    for i, (name, color) in enumerate([("hares", "tab:blue"), ("lynxes", "tab:orange")]):
        left.plot(years, np.exp(log_furs[:, i]), "o", color=color, markersize=4, label=name)
        left.plot(times, np.exp(curve[:, i]), color=color)
    left.axvspan(years[training_years - 1], years[-1], color="lightgray", alpha=0.4, label="not trained on")
    left.set_xticks(years[::5])
    left.set(title="Furs bought (points), and from the first year on, foretold", xlabel="year", ylabel="thousands")
    left.legend(frameon=False)

    grid = jnp.stack(jnp.meshgrid(jnp.linspace(1.5, 5, 18), jnp.linspace(1, 4.5, 18)), axis=-1)
    arrows = np.asarray(jax.vmap(jax.vmap(growth, (None, 0, None)), (None, 0, None))(None, grid, None))
    right.quiver(*np.moveaxis(np.asarray(grid), -1, 0), *np.moveaxis(arrows, -1, 0), color="silver", angles="xy")
    right.plot(*np.asarray(log_furs).T, ".", color="black", markersize=5)
    right.plot(*np.asarray(curve).T, color="tab:red", linewidth=1)
    ticks = [5, 10, 20, 40, 80]
    right.set_xticks(np.log(ticks), labels=map(str, ticks))
    right.set_yticks(np.log(ticks), labels=map(str, ticks))
    right.set(title="What follows on what", xlabel="thousands of hares", ylabel="thousands of lynxes")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


class Result(NamedTuple):
    """What `main` arrives at."""

    growth: Growth
    losses: list[float]
    #: By which factor the network is typically wrong, and someone who says that nothing changes.
    training_factor: float
    test_factor: float
    unchanged_factor: float


def typical_factor(difference: Array) -> float:
    """The factor to which the root mean square of differences of logarithms amounts."""
    return float(jnp.exp(jnp.sqrt(jnp.mean(difference**2))))


def main(
    *,
    width: int = 16,
    steps: int = 1500,
    training_years: int = 16,
    window: int = 6,
    learning_rate: float = 5e-3,
    decay: float = 1e-3,
    seed: int = 0,
    output: Path = OUTPUT,
) -> Result:
    """Train on the first years, print how well the last ones are foretold, and draw a picture."""
    output.parent.mkdir(parents=True, exist_ok=True)
    print("Learning how hares and lynxes live on each other.")
    log_furs = jnp.log(jnp.array([HARES, LYNXES]).T)
    windows = jnp.stack([log_furs[start : start + window] for start in range(training_years - window + 1)])

    growth = Growth(width, key=jax.random.key(seed))
    optimiser = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
    state = optimiser.init(eqx.filter(growth, eqx.is_inexact_array))
    losses: list[float] = []
    with tqdm(total=steps, desc="training", unit="step", disable=None) as progress:
        for _ in range(steps):
            growth, state, value = train_step(growth, optimiser, state, windows, decay)
            losses.append(float(value))
            progress.set_postfix_str(f"loss {losses[-1]:.4f}", refresh=False)
            progress.update()

    last = training_years - 1
    curve = foretell(growth, log_furs[0], jnp.linspace(0.0, len(log_furs) - 1.0, 201))
    draw(log_furs, curve, training_years, growth).savefig(output)
    trained = foretell(growth, log_furs[0], jnp.arange(1.0, training_years)) - log_furs[1:training_years]
    test = foretell(growth, log_furs[last], jnp.arange(1.0, len(log_furs) - last)) - log_furs[training_years:]
    unchanged = log_furs[last] - log_furs[training_years:]
    result = Result(growth, losses, *map(typical_factor, (trained, test, unchanged)))

    print(f"\n{'years':30}{'typically wrong by a factor of':>32}")
    print(f"{FIRST_YEAR} to {FIRST_YEAR + last}, trained on {result.training_factor:36.2f}")
    print(f"{FIRST_YEAR + last} to {FIRST_YEAR + len(log_furs) - 1}, foretold {result.test_factor:38.2f}")
    print(f"the same, if nothing changed {result.unchanged_factor:33.2f}")
    print(f"\nThe furs over time, and what follows on what: {output}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--width", type=int, default=16, help="how many neurons each hidden layer has")
    parser.add_argument("--steps", type=int, default=1500, help="how long to train")
    parser.add_argument("--training-years", type=int, default=16, help="how many years to learn from")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is random")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to put the picture (default: %(default)s)")
    arguments = parser.parse_args()
    main(
        width=arguments.width,
        steps=arguments.steps,
        training_years=arguments.training_years,
        seed=arguments.seed,
        output=arguments.output,
    )
