"""A real Chromium for the tests of the board's pages: the one that is installed, or Debian's, installed by `python -m tests.browser`."""
