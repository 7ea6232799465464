"""A GitHub on loopback: it answers as documented, and throttles, fails, hangs, loses answers and lists late where a test says so."""
