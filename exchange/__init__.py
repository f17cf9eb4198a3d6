"""A futures exchange of one's own: users meet under Chinese futures rules, on a log that proves and replays."""
