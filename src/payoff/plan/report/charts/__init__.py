"""The pictures of the report, a file each; every one gives an SVG text, or None without data."""
