"""Images in ECR: resolving sources, release hashes of digests, availability, and the tags that keep running images.

Begin with `source_resolver` for a source, and `image_catalog` for the loop that checks all images again.
"""
