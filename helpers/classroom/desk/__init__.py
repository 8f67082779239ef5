"""The teacher's desk: hand-ins come in from where they were collected, marks and pages go back."""
