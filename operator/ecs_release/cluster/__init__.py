"""The control cluster's API: status by server-side apply, Events. The only importer of kubernetes."""
