"""How fast Diffrax, Optimistix and Lineax are on this library, in multiples of what they take on Equinox 0.13.8.

Two interpreters, in whose environments these libraries are installed, do the same work in turn. Their results are
compared, too.
"""
