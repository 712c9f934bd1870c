"""Will hold the operator console: HTTP app, page, event stream. Holds nothing yet: it comes in a later part."""
