"""Decisions without I/O, clock, log or chance: what should happen next, given what is wanted and what was seen."""
