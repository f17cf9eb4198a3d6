"""The words and the rules of the exchange: plain data, plain functions, whole numbers."""
