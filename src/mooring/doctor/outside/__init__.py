"""What can be asked of a Harbor over HTTP."""
