"""Charts that the chapters draw: a module a chapter."""

from leverage._extras import needs

needs("lessons", "ipywidgets", "matplotlib", "pandas", "PIL")
