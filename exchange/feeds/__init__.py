"""Feeds: recorded quotes that play into the exchange as any client's orders would."""
