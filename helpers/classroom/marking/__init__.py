"""What instructors run: a class collected, graded, answered and reported on."""
