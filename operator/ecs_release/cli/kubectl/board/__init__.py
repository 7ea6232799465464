"""What runs where: the table of services and environments, as text and as a page, and differences between two environments.

Begin with `matrix`.
"""
