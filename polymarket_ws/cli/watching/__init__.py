"""What ``polymarket-ws watch`` shows, and how: state, figures, screen, terminal."""
