"""The documentation: built as a site, and its commands run as users would run them."""
