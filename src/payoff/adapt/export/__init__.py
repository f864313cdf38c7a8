"""From a trained model to the files that serving reads."""
