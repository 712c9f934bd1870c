"""The use cases, without pytest: what the plugin, the command line and the console all do."""
