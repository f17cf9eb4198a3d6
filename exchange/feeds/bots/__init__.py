"""Liquidity bots: seeded traders that give an empty exchange a market.

A *strategy* (`maker`, `noise`, `momentum`) decides from a *sight* of the market and of itself what it wishes to do; it
knows no clock and no connection. A *seat* is its place at an exchange: it gives sights and carries wishes out, in the
server's own process (`floor_seat`) or over the network (`exchange.cli.bot_seat`). `bot` joins the two and keeps every
bot within bounds; `crew` makes many of them from a few numbers.

To the exchange a bot is a client like any other: its orders are commands in the log, under an account of its own.
"""
