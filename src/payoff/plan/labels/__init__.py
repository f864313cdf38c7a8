"""What further labels are worth to a finished run, and which texts to have labelled."""
