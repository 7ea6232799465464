"""Attacks on the real process: it dies at each of its calls, and both of its wires misbehave. Begin with `scenarios`.

The model of `tests/model` does the same to the engine alone, on a simulated clock, far more often.
"""
