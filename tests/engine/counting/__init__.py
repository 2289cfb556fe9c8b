"""A lesson for tests of the engine: it counts, draws random numbers, and can be told to fail in many ways."""
