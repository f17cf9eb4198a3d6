"""The shell around the core: sockets, clock, signals, databases. It carries; it decides nothing about trading."""
