"""Pure folds from events to what clients see: user views, quotes, steps.

Begin with `fold.Projections`: it folds entries of the log into one `UserView` per account and one `Quote` per
instrument. A `cursor.Cursor` asks them what is news for one connection, and a `Dialect` words it.
"""
