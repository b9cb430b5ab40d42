"""How each channel talks. Pure: no socket, thread, clock, queue or random in here."""
