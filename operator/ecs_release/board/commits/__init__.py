"""Pages of what code is where: two environments compared.

Begin with `comparing`, the page; `records` holds what it compares, and `distances` asks the commits service, by way of `answers`.
"""
