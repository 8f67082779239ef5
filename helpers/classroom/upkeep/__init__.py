"""What maintainers run: the pinned versions and the bundled prices renewed."""
