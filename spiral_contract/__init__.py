"""What both sides of a call share: the table of operations, and the messages of each protocol."""
