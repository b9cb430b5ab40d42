"""Where people use it: web frameworks. Each module needs the extra of its name."""
