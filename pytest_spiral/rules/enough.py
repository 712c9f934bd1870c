"""Whether a judgement gives at least what is asked for."""

from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.verdict import Decision, Verdict

_BELOW = (Verdict.FAIL, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.NOT_RUN)


def enough(judgement: Judgement, require: str) -> bool:
    """True where the decision is at least `require` (`go` or `conditional`).

    A partial run decides nothing: there it is true where no blocker that ran is below a pass.
    """
    if judgement.partial:
        ran = [one for one in judgement.criteria if one.ran and one.level == "blocker"]
        return bool(ran) and not any(one.verdict in _BELOW for one in ran)
    if judgement.decision is None:
        return False
    least = Decision.GO if require == "go" else Decision.CONDITIONAL_GO
    return judgement.decision.permission >= least.permission
