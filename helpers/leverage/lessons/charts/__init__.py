"""Charts that the chapters draw: a module a chapter."""
