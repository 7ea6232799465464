"""The Helm chart: what it renders, what it refuses, and that the operator works with what it installs."""
