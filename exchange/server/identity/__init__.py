"""Who is who: users, passwords, tokens and tickets, and what a stranger may try."""
