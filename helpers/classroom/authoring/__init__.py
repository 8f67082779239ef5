"""What authors run: texts made into notebooks, and everything in them checked."""
