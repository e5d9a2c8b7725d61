"""Numbers in, intervals out: estimates, comparisons and accuracy. Knows no process and no file."""
