"""What readers share: trees, tables, matching of names, splits, notices."""
