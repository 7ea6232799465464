"""The commands, a module each (see the package's own docstring)."""
