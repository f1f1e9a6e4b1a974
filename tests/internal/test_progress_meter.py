import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.internal import AbstractProgressMeter, NoProgressMeter, TextProgressMeter, TqdmProgressMeter

LINES = ["0.00%", "30.00%", "60.00%", "90.00%", "100.00%"]


def scanned(meter, x, speed=1.0):
    """Multiply by two ten times, on the way to `speed`."""

    def step(carry, i):
        x, state = carry
        return (2 * x, meter.step(state, speed * (i + 1) / 10)), None

    (x, state), _ = jax.lax.scan(step, (x, meter.init()), jnp.arange(10))
    meter.close(state)
    return x


def looped(meter, x, speed=1.0):
    state = meter.init()
    for i in range(10):
        x, state = 2 * x, meter.step(state, speed * (i + 1) / 10)
    meter.close(state)
    return x


def printed(capsys) -> list[str]:
    jax.effects_barrier()
    return capsys.readouterr().out.splitlines()


X = jnp.ones(2)
TRANSFORMS = {
    "eager": lambda f: f(1.0),
    "jit": lambda f: jax.jit(f)(1.0),
    "vmap": lambda f: jax.vmap(f)(X),
    "jit(vmap)": lambda f: jax.jit(jax.vmap(f))(X),
    "grad": lambda f: jax.grad(f)(1.0),
    "jit(grad)": lambda f: jax.jit(jax.grad(f))(1.0),
}


@pytest.mark.parametrize("run", [scanned, looped])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_same_lines_are_printed_under_every_transformation(run, transform, capsys):
    meter = TextProgressMeter(minimum_increase=0.25)
    result = TRANSFORMS[transform](lambda x: run(meter, x))
    assert (jnp.asarray(result) == 1024).all()
    assert printed(capsys) == LINES


def test_steps_that_are_computed_again_on_the_way_back_print_nothing(capsys):
    meter = TextProgressMeter(0.25)

    def run(x):
        state = meter.init()
        x, state = jax.checkpoint(lambda x, state: (jnp.sin(x), meter.step(state, 0.5)))(x, state)
        x, state = jax.checkpoint(lambda x, state: (jnp.sin(x), meter.step(state, 1.0)))(x, state)
        meter.close(state)
        return x

    assert jnp.isfinite(jax.jit(jax.grad(run))(1.0))
    assert printed(capsys) == ["0.00%", "50.00%", "100.00%"]


def test_the_slowest_element_of_a_batch_counts(capsys):
    jax.jit(jax.vmap(lambda speed: scanned(TextProgressMeter(0.25), 1.0, speed)))(jnp.array([1.0, 0.5]))
    assert printed(capsys) == ["0.00%", "30.00%", "100.00%"]


def test_a_batch_may_end_at_different_times(capsys):
    meter = TextProgressMeter(0.3)

    def run(length):
        def step(carry):
            i, state = carry
            return i + 1, meter.step(state, (i + 1) / length)

        _, state = jax.lax.while_loop(lambda carry: carry[0] < length, step, (0, meter.init()))
        meter.close(state)

    jax.jit(jax.vmap(run))(jnp.array([2, 5]))
    assert printed(capsys) == ["0.00%", "40.00%", "80.00%", "100.00%"]


def test_it_ends_with_a_hundred_percent_once(capsys):
    meter = TextProgressMeter()
    meter.close(meter.step(meter.step(meter.init(), 1.0), 1.0))
    assert printed(capsys) == ["0.00%", "100.00%"]
    meter.close(meter.init())
    assert printed(capsys) == ["0.00%", "100.00%"]


def test_closing_twice_and_going_on_afterwards_do_no_harm(capsys):
    meter = TextProgressMeter()
    state = meter.step(meter.init(), 0.5)
    meter.close(state)
    meter.close(meter.step(state, 0.75))
    assert printed(capsys) == ["0.00%", "50.00%", "100.00%"]


def test_each_run_of_a_compiled_function_starts_anew(capsys):
    run = jax.jit(lambda x: scanned(TextProgressMeter(0.25), x))
    run(1.0)
    run(1.0)
    assert printed(capsys) == 2 * LINES


def test_progress_is_one_number():
    meter = TextProgressMeter()
    with pytest.raises(ValueError, match="`progress`"):
        meter.step(meter.init(), X)


def test_meters_are_modules_that_may_be_arguments(capsys):
    for meter in (TextProgressMeter(0.25), NoProgressMeter()):
        assert isinstance(meter, eqx.Module)
        assert isinstance(meter, AbstractProgressMeter)
        assert eqx.filter_jit(scanned)(meter, 1.0) == 1024
    assert printed(capsys) == LINES


def test_no_meter_shows_nothing(capsys):
    meter = NoProgressMeter()
    assert meter.init() is None
    assert meter.step(None, 0.5) is None
    assert scanned(meter, 1.0) == 1024
    assert printed(capsys) == []


@pytest.mark.parametrize("transform", ["eager", "jit(vmap)", "jit(grad)"])
def test_a_bar_grows_to_a_hundred_percent(transform, capsys):
    TRANSFORMS[transform](lambda x: scanned(TqdmProgressMeter(refresh_steps=4), x))
    jax.effects_barrier()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "0.00%|" in captured.err
    assert captured.err.rstrip().splitlines()[-1].split("\r")[-1].startswith("100.00%|")


def test_a_bar_is_drawn_anew_after_so_many_steps(monkeypatch):
    drawn: list[float] = []

    class Bar:
        n = 0

        def __init__(self, **options):
            pass

        def update(self, n):
            self.n += n
            drawn.append(round(self.n))

        def close(self):
            drawn.append(-1)

    monkeypatch.setattr("tqdm.tqdm", Bar)
    jax.jit(lambda x: scanned(TqdmProgressMeter(refresh_steps=4), x))(1.0)
    jax.effects_barrier()
    assert drawn == [40, 80, 100, -1]


def test_a_bar_needs_its_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="tqdm"):
        TqdmProgressMeter()


class Custom(AbstractProgressMeter):
    def init(self):
        return jnp.array(0.0)

    def step(self, state, progress):
        return jnp.maximum(state, progress)

    def close(self, state):
        pass


def test_there_may_be_others():
    meter = Custom()
    assert meter.step(meter.init(), 0.5) == 0.5
    with pytest.raises(TypeError, match="abstract"):
        AbstractProgressMeter()
