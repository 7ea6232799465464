"""Whether images that a Release needs can still be pulled, and the tag that keeps what runs from being expired.

Begin with `image_availability`. The loop that looks images up is `engine.artifacts.image_catalog`.
"""
