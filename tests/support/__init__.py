"""Builders, models and doubles that several tests share."""
