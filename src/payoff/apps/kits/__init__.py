"""Deploy kits: an artifact with all that a host needs to run it, as a folder of few files."""
