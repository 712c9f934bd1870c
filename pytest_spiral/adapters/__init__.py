"""Foreign protocols and records in our words. Here: the operator's MCP adapter; records of other tools come later."""
