"""What training minimises: one objective a file, all behind `objective.Objective`."""
