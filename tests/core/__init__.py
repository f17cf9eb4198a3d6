"""The core: domain, matching, decider, codec."""
