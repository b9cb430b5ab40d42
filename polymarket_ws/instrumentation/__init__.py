"""Optional hooks for those who run this in production."""
