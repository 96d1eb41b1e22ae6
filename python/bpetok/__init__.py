"""bpetok."""
