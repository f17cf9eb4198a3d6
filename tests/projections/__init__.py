"""Views: the laws they keep, and what shows in them."""
