"""The API: the four kinds of group ecs-release.dev as pydantic models, and the generator of their CRDs. Imports pydantic only."""
