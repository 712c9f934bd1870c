"""The operator surface: commands, memory queries, handovers and uploads, over REST and gRPC."""
