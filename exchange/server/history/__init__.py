"""The exchange at any place of its log, answered beside the trading loop."""
