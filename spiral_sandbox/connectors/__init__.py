"""Connectors of the embedded system: operator_api, operator_upload and crown_handshake, over REST and gRPC."""
