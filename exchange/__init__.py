"""A futures exchange of one's own: users meet each other under Chinese futures rules, on a log that proves and replays."""
