"""The benchmark measures what it says; how fast anything is, no test asks."""
