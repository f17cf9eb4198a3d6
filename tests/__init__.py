"""The tests, one folder per part of the exchange, and what they share."""
