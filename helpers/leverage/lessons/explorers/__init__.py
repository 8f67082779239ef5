"""Explorers: controls, a picture that follows them at once, and the result in words.

`explorer` holds what all of them are, `controls` and `picture` what they are made of; each explorer
has a module of its own, named as its class. `leverage.lessons` offers them all.
"""

from leverage._extras import needs

needs("lessons", "ipywidgets", "matplotlib", "pandas", "PIL")
