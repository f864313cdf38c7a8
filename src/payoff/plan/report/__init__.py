"""The report of a run: one HTML file that opens offline, and its pictures on their own.

`render.render` makes the page and `pictures.save` one picture of it. The extra ``tune`` brings
what draws them; nothing here is imported when an artifact is loaded or served.
"""
