"""Photographs of the eye's fundus."""
