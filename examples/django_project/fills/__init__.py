"""Keeps what the account bought and sold."""
