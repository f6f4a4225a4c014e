"""Chest X-rays."""
