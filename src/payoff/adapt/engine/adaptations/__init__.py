"""What of a classifier is trained: one way a file, all behind `adaptation.Adaptation`."""
