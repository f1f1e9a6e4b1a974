import jax
import jax.numpy as jnp

from equinox._runtime.tracing import is_tracing


def test_a_program_is_being_made_by_jit_but_not_by_vmap_or_grad():
    found = {}

    def note(name):
        def function(x):
            found[name] = is_tracing()
            return x

        return function

    note("eager")(1.0)
    jax.vmap(note("vmap"))(jnp.arange(2.0))
    jax.grad(note("grad"))(1.0)
    jax.jit(note("jit"))(1.0)
    jax.jit(jax.vmap(note("vmap in jit")))(jnp.arange(2.0))
    jax.vmap(jax.jit(note("jit in vmap")))(jnp.arange(2.0))
    jax.lax.scan(lambda carry, x: (note("scan")(carry), x), 1.0, jnp.arange(2.0))
    assert [name for name, answer in found.items() if answer] == ["jit", "vmap in jit", "jit in vmap", "scan"]
    with jax.disable_jit():
        jax.jit(note("disabled"))(1.0)
    assert not found["disabled"]


def test_asking_leaves_nothing_in_the_program():
    jaxpr = jax.make_jaxpr(lambda x: x if is_tracing() else -x)(1.0)
    assert not jaxpr.eqns
