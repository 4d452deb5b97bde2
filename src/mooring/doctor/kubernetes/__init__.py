"""A Harbor in Kubernetes, read through its API."""
