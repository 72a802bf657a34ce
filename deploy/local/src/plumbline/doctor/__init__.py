"""`plumbline doctor`: check a deployment and print one line per finding."""
