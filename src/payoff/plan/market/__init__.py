"""The market of a data set or a run: its segments judged, valued and shown."""
