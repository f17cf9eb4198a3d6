"""Pure folds from events to what clients see: user views, quotes, steps.

Begin with `fold.Projections`: it folds entries of the log into one `UserView` per account and one `Quote` per
instrument. A conversation of the gateway asks them what is news behind its cursors, and its dialect words that.
"""
