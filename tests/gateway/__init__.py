"""What clients say and are told, without sockets."""
