"""Images in registries: what a source asks for, the tags it may be found by, the key of what was pinned, and EnvironmentTag's tag.

Begin with `source`. Looking images up is in `engine.artifacts`; whether an image may still be pulled is in `retention`.
"""
