"""The table of services and environments for a terminal, and differences between two environments.

Begin with `matrix_table`; what it shows is of `pages.matrix`.
"""
