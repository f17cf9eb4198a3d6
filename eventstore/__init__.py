"""An append-only log of bytes with a provable history: one writer, numbered events, Merkle roots."""
