"""A lesson for tests and benchmarks of the engine: one small classifier of points in the plane, as a BatchedRun."""
