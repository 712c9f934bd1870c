"""What schemathesis cannot read from the OpenAPI document. It loads this file itself, in an environment of its own."""

import itertools
import json
import re

import schemathesis

_NUMBERS = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Good requests keep to what the document says in words alone: what is to be new is new, and fields precede files.

    No caller is in a hurry: what a busy machine does not answer in a millisecond is no finding.
    """
    if case.headers and re.fullmatch("[1-9][0-9]{0,7}", str(case.headers.get("x-deadline-ms", ""))):
        case.headers["x-deadline-ms"] = "60000"
    if not case.meta.generation.mode.is_positive:
        return
    if case.headers and "idempotency-key" in case.headers:
        case.headers["idempotency-key"] = f"key-{next(_NUMBERS)}"
    if isinstance(case.body, dict):
        _keep_to_the_words(case.body)


def _keep_to_the_words(body):
    if "files" in body:
        body["files"] = body.pop("files")[:1]  # schemathesis gives all files of a form the same name
    if "metadata" in body:
        body["metadata"] = json.dumps({"said": body["metadata"]})
    for item in body.get("items", ()):
        if item.get("id") is not None:
            item["id"] = f"id-{next(_NUMBERS)}"
    for context in body.get("supported_contexts", ()):
        context["name"] = f"context-{next(_NUMBERS)}"
