"""What two or more bundles share; each step of the ladder imports only from the ones before it."""
