"""The push that proves that a registry works."""
