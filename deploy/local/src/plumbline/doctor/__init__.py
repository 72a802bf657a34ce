"""`plumbline doctor`: is everything as the rest of the system takes it to be? One line per question."""
