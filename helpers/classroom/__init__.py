"""What instructors and CI run: build, check, score, grade a class, open the course."""
