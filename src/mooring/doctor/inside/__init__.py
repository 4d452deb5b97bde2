"""What a Harbor's own files and objects say of how it is set up."""
