"""Basic types that every other wing uses: conditions, errors, image names, namespaces, texts of messages.

Nothing here depends on another wing. Begin with `errors` (each error carries its consequence) and `conditions` (the one
place that turns a situation into the conditions of a status).
"""
