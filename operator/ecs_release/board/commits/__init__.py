"""Pages of what code is where: two environments compared, and commits by environments.

Begin with `comparing` and `commits_page`, the pages; `records` holds what they are about, and `distances` and `ancestry` ask the commits
service, by way of `answers`.
"""
