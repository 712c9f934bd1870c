"""Bundles on disk: writing them so that a kill loses nothing, sealing them, reading and verifying them.

`store` writes whole files, `journal` and `samples` append to theirs (`appender` is what both stand on), `seal` writes
the manifest; `folder` opens what may be hostile, `read` turns a bundle into values, `verify` says what does not add up.
Nothing here knows pytest or reads a clock.
"""
