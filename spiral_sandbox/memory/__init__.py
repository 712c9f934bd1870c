"""The memory fabric: texts stored in shards, searched exactly, each one on an audit chain."""
