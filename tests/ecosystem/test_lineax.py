"""Lineax: every solver, on the operators that it is for, differentiated forwards and backwards, and batched."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

lx = pytest.importorskip("lineax")

TOLERANCE = {"rtol": 1e-11, "atol": 1e-11}


def spread(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A matrix whose singular values lie between about 2 and 6."""
    shape = rows, columns
    return np.eye(rows, columns) * 4 + np.random.default_rng(seed).uniform(-0.4, 0.4, shape)


def general(a):
    return a


def symmetric(a):
    return (a + a.T) / 2


def negative(a):
    return -(a + a.T) / 2


def diagonal(a):
    return a * np.eye(len(a))


def lower(a):
    return a * np.tri(len(a))


def upper(a):
    return a * np.tri(len(a)).T


def unit_lower(a):
    return a * np.tri(len(a), k=-1) + np.eye(len(a))


def tridiagonal(a):
    return a * (np.tri(len(a), k=1) - np.tri(len(a), k=-2))


def deficient(a):
    """Of rank one less than it could be: each row without its part along (1, ..., 1)."""
    return a - a.sum(axis=1, keepdims=True) / a.shape[1]


def dense(*tags):
    return lambda a: lx.MatrixLinearOperator(a, tags)


def in_blocks(a):
    """The matrix as a tree: two inputs, two outputs."""
    rows = {"first": a[:2], "rest": a[2:]}
    blocks = jax.tree.map(lambda row: (row[:, :1], row[:, 1:]), rows)
    return lx.PyTreeLinearOperator(
        blocks, {name: jax.ShapeDtypeStruct(row.shape[:1], row.dtype) for name, row in rows.items()}
    )


def as_function(*tags):
    return lambda a: lx.FunctionLinearOperator(lambda x: a @ x, jax.ShapeDtypeStruct((a.shape[1],), a.dtype), tags)


def as_jacobian(mode):
    """The Jacobian of a nonlinear function, at a point where it is the matrix."""
    return lambda a: lx.JacobianLinearOperator(lambda x, a: a @ jnp.sin(x), jnp.zeros(a.shape[1]), a, jac=mode)


def composed(a):
    """(A (3 I) + (-A)) / 2, which is A again."""
    identity = lx.IdentityLinearOperator(jax.ShapeDtypeStruct((a.shape[1],), a.dtype))
    return (lx.MatrixLinearOperator(a) @ (identity * 3) + -lx.MatrixLinearOperator(a)) / 2


CASES = {
    "auto": (lambda: lx.AutoLinearSolver(well_posed=True), dense(), general, (5, 5)),
    "auto, tridiagonal": (lambda: lx.AutoLinearSolver(well_posed=True), dense(lx.tridiagonal_tag), tridiagonal, (5, 5)),
    "auto, ill-posed": (lambda: lx.AutoLinearSolver(well_posed=False), dense(), deficient, (6, 4)),
    "LU": (lx.LU, dense(), general, (5, 5)),
    "LU, blocks": (lx.LU, in_blocks, general, (5, 5)),
    "LU, function": (lx.LU, as_function(), general, (5, 5)),
    "LU, jacobian forwards": (lx.LU, as_jacobian("fwd"), general, (5, 5)),
    "LU, jacobian backwards": (lx.LU, as_jacobian("bwd"), general, (5, 5)),
    "LU, composed": (lx.LU, composed, general, (5, 5)),
    "QR, tall": (lx.QR, dense(), general, (7, 4)),
    "QR, wide": (lx.QR, dense(), general, (4, 7)),
    "QR, blocks": (lx.QR, in_blocks, general, (7, 4)),
    "SVD, tall": (lx.SVD, dense(), general, (7, 4)),
    "SVD, deficient": (lx.SVD, dense(), deficient, (5, 5)),
    "Cholesky": (lx.Cholesky, dense(lx.positive_semidefinite_tag), symmetric, (5, 5)),
    "Cholesky, negative": (lx.Cholesky, dense(lx.negative_semidefinite_tag), negative, (5, 5)),
    "diagonal": (lx.Diagonal, lambda a: lx.DiagonalLinearOperator(jnp.diagonal(a)), diagonal, (5, 5)),
    "diagonal, tagged": (lx.Diagonal, dense(lx.diagonal_tag), diagonal, (5, 5)),
    "triangular, lower": (lx.Triangular, dense(lx.lower_triangular_tag), lower, (5, 5)),
    "triangular, upper": (lx.Triangular, dense(lx.upper_triangular_tag), upper, (5, 5)),
    "triangular, unit": (lx.Triangular, dense(lx.lower_triangular_tag, lx.unit_diagonal_tag), unit_lower, (5, 5)),
    "tridiagonal": (
        lx.Tridiagonal,
        lambda a: lx.TridiagonalLinearOperator(*(jnp.diagonal(a, offset=k) for k in (0, -1, 1))),
        tridiagonal,
        (5, 5),
    ),
    "CG": (lambda: lx.CG(**TOLERANCE), dense(lx.positive_semidefinite_tag), symmetric, (5, 5)),
    "CG, function": (lambda: lx.CG(**TOLERANCE), as_function(lx.positive_semidefinite_tag), symmetric, (5, 5)),
    "CG, negative": (lambda: lx.CG(**TOLERANCE), dense(lx.negative_semidefinite_tag), negative, (5, 5)),
    "Normal CG, tall": (lambda: lx.Normal(lx.CG(**TOLERANCE)), dense(), general, (7, 4)),
    "Normal CG, function": (lambda: lx.Normal(lx.CG(**TOLERANCE)), as_function(), general, (5, 5)),
    "Normal Cholesky, tall": (lambda: lx.Normal(lx.Cholesky()), dense(), general, (7, 4)),
    "Normal Cholesky, wide": (lambda: lx.Normal(lx.Cholesky()), dense(), general, (4, 7)),
    "BiCGStab": (lambda: lx.BiCGStab(**TOLERANCE), dense(), general, (5, 5)),
    "GMRES": (lambda: lx.GMRES(**TOLERANCE), dense(), general, (5, 5)),
    "GMRES, function": (lambda: lx.GMRES(**TOLERANCE), as_function(), general, (5, 5)),
    "LSMR, tall": (lambda: lx.LSMR(**TOLERANCE), dense(), general, (7, 4)),
    "LSMR, function": (lambda: lx.LSMR(**TOLERANCE), as_function(), general, (5, 5)),
}
# The others take the same ways through the library as these do.
QUICK = {
    "auto",
    "LU, function",
    "LU, composed",
    "QR, tall",
    "SVD, deficient",
    "Cholesky",
    "tridiagonal",
    "CG, function",
    "Normal CG, tall",
    "GMRES",
    "LSMR, tall",
}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_solutions_and_their_derivatives_are_those_of_the_pseudoinverse(name: str) -> None:
    make_solver, operator, structure, shape = CASES[name]
    solver = make_solver()
    rng = np.random.default_rng(1)
    a, da = spread(*shape), rng.normal(size=shape)
    b, db = rng.normal(size=(2, shape[0]))

    def solve(a, b):
        op = operator(structure(a))
        leaves, treedef = jax.tree.flatten(op.out_structure())
        sizes = np.cumsum([leaf.size for leaf in leaves])[:-1]
        vector = jax.tree.unflatten(treedef, jnp.split(b, sizes))
        value = lx.linear_solve(op, vector, solver).value
        return jnp.concatenate(jax.tree.leaves(value))

    def expected(a, b):
        return np.linalg.pinv(structure(a)) @ b

    @eqx.filter_jit
    def everything(a, da, b, db, cotangent):
        x, dx = jax.jvp(solve, (a, b), (da, db))
        cotangents = jax.vjp(solve, a, b)[1](cotangent)
        batch = jax.vmap(solve, in_axes=(None, 1), out_axes=1)(a, jnp.stack([b, db], axis=1))
        return x, dx, cotangents, batch

    cotangent = rng.normal(size=shape[1])
    x, dx, (a_cotangent, b_cotangent), batch = everything(*map(jnp.asarray, (a, da, b, db, cotangent)))
    np.testing.assert_allclose(x, expected(a, b), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(batch, expected(a, np.stack([b, db], axis=1)), rtol=1e-8, atol=1e-9)
    h = 1e-5
    difference = (expected(a + h * da, b + h * db) - expected(a - h * da, b - h * db)) / (2 * h)
    np.testing.assert_allclose(dx, difference, rtol=1e-6, atol=1e-7)
    # Backwards is the transpose of forwards.
    np.testing.assert_allclose(np.sum(a_cotangent * da) + b_cotangent @ db, cotangent @ dx, rtol=1e-7)


def test_second_derivatives_of_a_solution() -> None:
    a = jnp.asarray(spread(3, 3))
    b = jnp.arange(1.0, 4.0)

    def entry(scale):
        return lx.linear_solve(lx.MatrixLinearOperator(scale * a), b).value[0]

    # The solution is that for scale 1, divided by the scale.
    second = jax.jit(jax.hessian(entry))(2.0)
    np.testing.assert_allclose(second, 2 * np.linalg.solve(a, b)[0] / 2**3, rtol=1e-10)


def test_a_factorisation_is_kept_for_other_vectors() -> None:
    a = jnp.asarray(spread(5, 5))
    operator = lx.MatrixLinearOperator(a)
    solver = lx.LU()

    @eqx.filter_jit
    def solve(operator, state, vector):
        return lx.linear_solve(operator, vector, solver, state=state).value

    state = solver.init(operator, options={})
    for vector in np.eye(5)[:2]:
        np.testing.assert_allclose(solve(operator, state, jnp.asarray(vector)), np.linalg.solve(a, vector), rtol=1e-10)


def test_operators_form_an_algebra() -> None:
    a, b = spread(4, 4), spread(4, 4, seed=1)
    x = np.arange(4.0)

    @eqx.filter_jit
    def everything(p, q, x):
        composition = (p @ q.T - 2 * p + q) / 4
        linear = lx.linearise(lx.FunctionLinearOperator(composition.mv, composition.in_structure()))
        return (
            composition.as_matrix(),
            composition.T.mv(x),
            lx.materialise(linear).as_matrix(),
            lx.diagonal(composition),
            lx.tridiagonal(composition),
        )

    p, q = lx.MatrixLinearOperator(jnp.asarray(a)), lx.MatrixLinearOperator(jnp.asarray(b))
    matrix, transposed, materialised, diagonal_, bands = everything(p, q, jnp.asarray(x))
    expected = (a @ b.T - 2 * a + b) / 4
    np.testing.assert_allclose(matrix, expected, rtol=1e-12)
    np.testing.assert_allclose(transposed, expected.T @ x, rtol=1e-12)
    np.testing.assert_allclose(materialised, expected, rtol=1e-12)
    np.testing.assert_allclose(diagonal_, np.diagonal(expected), rtol=1e-12)
    for band, offset in zip(bands, (0, -1, 1), strict=True):
        np.testing.assert_allclose(band, np.diagonal(expected, offset), rtol=1e-12)


def test_a_singular_system_is_an_error_or_a_result_that_says_so() -> None:
    singular = lx.MatrixLinearOperator(jnp.ones((2, 2)))
    vector = jnp.array([1.0, 0.0])
    with pytest.raises(eqx.EquinoxRuntimeError, match="non-finite"):
        jax.block_until_ready(lx.linear_solve(singular, vector, lx.LU()).value)
    solution = eqx.filter_jit(lambda: lx.linear_solve(singular, vector, lx.LU(), throw=False))()
    assert solution.result != lx.RESULTS.successful
    assert lx.RESULTS[solution.result]
