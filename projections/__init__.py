"""Pure folds from events to what clients see: user views, quotes, steps."""
