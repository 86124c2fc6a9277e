"""The patient's red-cell model: one specification, driven by NumPy for one and JAX for many."""
