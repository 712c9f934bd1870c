"""Switching off any one check of the judge turns the selftest red: each switch is a patch, and a criterion that finds it."""

import dataclasses
import importlib
from fractions import Fraction

import msgspec
import pytest

from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.rules.judge.finding import Finding
from pytest_spiral.rules.selftest import prove
from pytest_spiral.rules.selftest.reference import REFERENCE
from pytest_spiral.rules.statistics import Controlled, Judged, judge_no_regression
from pytest_spiral.rules.statistics.zones import Zone
from pytest_spiral.rules.turns import Call

JUDGE = "pytest_spiral.rules.judge"
STATISTICS = "pytest_spiral.rules.statistics"


def passing(*_, **__):
    return Judged(Verdict.PASS)


def nothing(*_, **__):
    return []


def no(*_, **__):
    return False


def yes(*_, **__):
    return True


def without(original, *codes):
    """The findings of a function, save those with these codes."""

    def found(*arguments, **named):
        return [one for one in original(*arguments, **named) or () if one.reason not in codes]

    return found


def findings_without(*codes):
    return lambda original: without(original, *codes)


def faults_without(code):
    """As the original, and one code is never found."""
    return lambda original: lambda *given: (one for one in original(*given) if one[0] != code)


def never(code):
    """As the original, and a refusal with that code becomes a pass."""

    def change(original):
        def judged(*arguments, **named):
            found = original(*arguments, **named)
            if found is not None and str(found.reason) == code:
                return dataclasses.replace(found, verdict=Verdict.PASS, reason=None)
            return found

        return judged

    return change


def keep_all(original):
    """Samples without warm-up, however much of it there is and wherever it stands."""

    def counted(measurement, criterion, limit):
        return tuple(one for one in measurement.samples if not one.warm)

    return counted


def tolerant(original):
    """The limit's plan is what was delivered."""

    def planned(criterion, limit, samples, lost):
        return samples + lost

    return planned


def unread(word):
    """A test's end that nobody looks at."""

    def change(original):
        def judge_end(test, item, criterion, context):
            return [] if test.raised == word else original(test, item, criterion, context)

        return judge_end

    return change


def excused(word):
    """A test's end that becomes a lack of environment: the softest way of not looking."""

    def change(original):
        def judge_end(test, item, criterion, context):
            if test.raised == word:
                return [Finding(Verdict.ENVIRONMENT_LIMITED, "requirement", "made up", "memory", "environment")]
            return original(test, item, criterion, context)

        return judge_end

    return change


def latest_only(original):
    """A rerun softens: only a test's last record counts."""

    def judge_test(item, criterion, context):
        records = context.tests.get(item.id, ())
        tests = {**context.tests, item.id: records[-1:]}
        return original(item, criterion, dataclasses.replace(context, tests=tests))

    return judge_test


def earliest_only(original):
    def judge_test(item, criterion, context):
        records = context.tests.get(item.id, ())
        tests = {**context.tests, item.id: records[:1]}
        return original(item, criterion, dataclasses.replace(context, tests=tests))

    return judge_test


def best_of(original):
    """The best finding counts."""

    def worst(findings):
        return None

    return worst


def uncounted(original):
    """Limits that no test fed are left out."""

    def judge_limits(criterion, context, measurements):
        limits, findings = original(criterion, context, measurements)
        return limits, [one for one in findings if one.verdict is not Verdict.NOT_RUN]

    return judge_limits


def last_wins(original):
    """The same measurement again takes the place of the first."""

    def populations(limit, measurements):
        kept = {(one.test, one.run, one.name): one for one in measurements}
        return original(limit, kept.values())

    return populations


def first_population(original):
    """The first test's samples are enough."""

    def populations(limit, measurements):
        return original(limit, measurements)[:1]

    return populations


def unscaled(original):
    """Numbers are taken as they stand, in whatever unit."""

    def scale(unit, into, measurement):
        return lambda number: Fraction(repr(number)) if isinstance(number, float) else Fraction(number)

    return scale


def finite(original):
    """What is no number counts as zero."""

    def number(sample, measurement, from_ns, from_own):
        if isinstance(sample.value, float) and not abs(sample.value) < float("inf"):
            return Fraction(0)
        return original(sample, measurement, from_ns, from_own)

    return number


def any_kind(original):
    def number(sample, measurement, from_ns, from_own):
        if sample.failed is None and sample.ns is None and sample.value is None:
            return from_ns(1) if measurement.clock == "monotonic" else from_own(1)
        return original(sample, measurement, from_ns, from_own)

    return number


def forgiving(original):
    """A failed call is left out of the reckoning: it took no time."""

    def number(sample, measurement, from_ns, from_own):
        return Fraction(0) if sample.failed is not None else original(sample, measurement, from_ns, from_own)

    return number


def all_hits(original):
    def outcomes(samples, measurement):
        kept = [one for one in samples if one.ok is not None or one.failed is not None]
        return sum(one.ok is True for one in kept), len(list(samples))

    return outcomes


def hits_of_failed(original):
    def outcomes(samples, measurement):
        listed = list(samples)
        return sum(one.ok is True or one.failed is not None for one in listed), len(listed)

    return outcomes


def any_items(original):
    def items(samples, measurement):
        return {one.item: one.seen for one in samples if one.item is not None}

    return items


def any_events(original):
    def events(samples, measurement):
        return sum(one.count or 0 for one in samples), Fraction(20)

    return events


def loosely(original):
    return lambda one, other: str(one) == str(other)


def nearly(original):
    return lambda one, other: original(one, other) or (one is None or other is None)


def sizes(original):
    def block_sizes(samples, measurement):
        found = {}
        for one in samples:
            found[one.block] = found.get(one.block, 0) + 1
        return tuple(found.values())

    return block_sizes


def plainly(original):
    """The estimate decides, and no bound."""
    return lambda self, good, samples: self.cleared_by(good, samples)


def as_independent(original):
    def zone(bar, zone, counts, dependence, blocks):
        return zone, ()

    return zone


def exact_clock(original):
    return lambda self, limit, *_: original(self, limit)


def full(original):
    def zone(count, direction, limit, *, full):
        return original(count, direction, limit, full=True)

    return zone


def unlimited(original):
    def zone(count, direction, limit, *, full):
        return Zone(Verdict.PASS) if full else original(count, direction, limit, full=full)

    return zone


def exactly(original):
    """A clock of no resolution."""

    def extreme(population, limit, resolution, planned):
        return original(population, limit, Fraction(0), planned)

    return extreme


def trusting(original):
    def elapsed(*arguments, trusted, **named):
        return original(*arguments, trusted=True, **named)

    return elapsed


def best_run(original):
    """The best population of a run stands for it."""

    def by_run(criterion, limit, found, context):
        best = {}
        for population in found:
            one = original(criterion, limit, [population], context)[population.run]
            if population.run not in best or one.verdict is Verdict.PASS:
                best[population.run] = one
        return best

    return by_run


def passed(original):
    """The verdict of a row's run, without a look."""

    def as_judged(one):
        return Judged(Verdict.PASS)

    return as_judged


def all_closed(original):
    def make_context(evidence, *proven):
        found = original(evidence, *proven)
        return dataclasses.replace(found, closed=frozenset(one.run for one in evidence.runs_opened))

    return make_context


def no_crash(original):
    return lambda evidence, *proven: dataclasses.replace(original(evidence, *proven), crashed=frozenset())


def inherited(original):
    """Runs that no record opens count as opened."""

    def judge_row(criterion, limit, found, context):
        opened = {one.run: one for one in context.evidence.runs_closed}
        runs = {criterion.id: tuple(opened.values())}
        evidence = msgspec.structs.replace(context.evidence, runs_opened=tuple(opened.values()))
        return original(criterion, limit, found, dataclasses.replace(context, runs=runs, evidence=evidence))

    return judge_row


def unhunted(original):
    def verdict(window, consecutive, *, hunted):
        return original(window, consecutive, hunted=False)

    return verdict


def unbroken(original):
    def verdict(window, consecutive, *, hunted):
        whole = [one for one in window if one is not None]
        return original(whole, len(whole), hunted=hunted)

    return verdict


def last_run_only(original):
    def verdict(window, consecutive, *, hunted):
        return original(window[-1:], 1, hunted=hunted)

    return verdict


def counts_for_more(original):
    def standing(one):
        return dataclasses.replace(original(one), below_fidelity=False)

    return standing


def uncapped(original):
    def combine(blockers, *, capped=False, **named):
        return original(blockers, capped=False, **named)

    return combine


def always_go(original):
    return lambda *_, **__: Decision.GO


def as_registered(original):
    return lambda seen: seen.registered


def most_real(original):
    return lambda *_: Fidelity.LIVE


def pass_of(field):
    def change(original):
        def judge_limit(criterion, limit, context):
            return msgspec.structs.replace(original(criterion, limit, context), **{field: Verdict.PASS})

        return judge_limit

    return change


def the_same(original):
    return lambda shown, *_: shown


def first_named(original):
    """One side is compared with itself."""

    def equal(case):
        first = case.population.measurements[0]
        again = msgspec.structs.replace(first, name=case.limit.measurements[1])
        doubled = dataclasses.replace(case.population, measurements=(first, again))
        return original(dataclasses.replace(case, population=doubled))

    return equal


def unlost(original):
    """Pairs of which a call failed are left out, as if they had never been planned."""

    def equivalence(differences, *, lost, planned, **named):
        return original(differences, planned=planned - lost, **named)

    return equivalence


def uncontrolled(original):
    """A regression that is judged without a look at its controls."""

    def regression(candidate, baseline, **named):
        return Controlled(judge_no_regression(candidate, baseline, **named), Verdict.PASS, Verdict.FAIL)

    return regression


def estimated(original):
    """The median and the quantiles decide, and no bound of theirs."""

    def side(values, quantile, confidence, unknown):
        found = original(values, quantile, confidence, unknown)
        middle = sorted(values)[found.ranks.estimate - 1 - unknown] if values else 0
        return dataclasses.replace(found, lower=middle, upper=middle)

    return side


def told_or_not(original):
    """Calls that do not say when they were made are passed over."""

    def calls(side):
        return (None if one.sent is None else Call(one.sent, one.done) for one in side.samples)

    return calls


def one_figure(original):
    def duration(case):
        first = case.population.first
        one = msgspec.structs.replace(first, samples=first.samples[:1])
        return original(dataclasses.replace(case, population=dataclasses.replace(case.population, measurements=(one,))))

    return duration


def as_judged_already(original):
    return lambda _, judged, *__: judged


def not_open(original):
    return yes


def replaced(value):
    def change(original):
        return value

    return change


def unguarded(original):
    return lambda verdicts, _: verdicts


# name: (module, attribute, change, the criterion of the reference bar that finds it)
SWITCHES = {
    # what the samples say
    "find-zone": (f"{STATISTICS}.rate", "find_zone", replaced(lambda *_: Zone(Verdict.PASS)), "refusals"),
    "find-zone-of-quantiles": (f"{STATISTICS}.quantile", "find_zone", replaced(lambda *_: Zone(Verdict.PASS)), "least"),
    "refuse-population-of-rates": (f"{STATISTICS}.rate", "refuse_population", replaced(lambda *_: None), "rate"),
    "refuse-population-of-quantiles": (f"{STATISTICS}.quantile", "refuse_population", replaced(lambda *_: None), "least"),
    "refuse-population-of-means": (f"{STATISTICS}.mean", "refuse_population", replaced(lambda *_: None), "mean"),
    "refuse-population-of-failures": (f"{STATISTICS}.count", "refuse_population", replaced(lambda *_: None), "failures"),
    "refuse-population-of-extremes": (f"{STATISTICS}.census", "refuse_population", replaced(lambda *_: None), "extremes"),
    "estimate-for-bound": (f"{STATISTICS}.zones:Bar", "proven_by", plainly, "refusals"),
    "estimate-for-bound-of-quantiles": (f"{STATISTICS}.zones:Bar", "proven_by", plainly, "response-time"),
    "dependence": (f"{STATISTICS}.quantile", "_blocked_zone", as_independent, "response-time"),
    "resolution-of-quantiles": (f"{STATISTICS}.population:Population", "counts", exact_clock, "response-time"),
    "resolution-of-extremes": (f"{STATISTICS}.census", "_extreme_verdict", exactly, "longest"),
    "quantile-refusals": (f"{STATISTICS}.quantile", "_refused", replaced(lambda *_: None), "response-time"),
    "closed-loop": (f"{STATISTICS}.quantile", "_refused", lambda original: never_refused(original, "closed-loop"), "response-time"),
    "coarse-timer": (f"{STATISTICS}.quantile", "_refused", lambda original: never_refused(original, "coarse-timer"), "response-time"),
    "coarse-timer-of-extremes": (f"{JUDGE}.limit", "judge_extreme", never("coarse-timer"), "longest"),
    "count": (f"{STATISTICS}.count", "_count_zone", unlimited, "count"),
    "exposure": (f"{STATISTICS}.count", "_count_zone", full, "count"),
    "settable-clock": (f"{JUDGE}.limit", "judge_elapsed", trusting, "elapsed"),
    "elapsed": (f"{JUDGE}.limit", "judge_elapsed", replaced(passing), "elapsed"),
    "mean": (f"{JUDGE}.limit", "judge_mean", replaced(passing), "mean"),
    "mean-from-above": (f"{JUDGE}.limit", "judge_mean", replaced(passing), "waste"),
    "failures": (f"{JUDGE}.limit", "judge_failures", replaced(passing), "needs"),
    "rate": (f"{JUDGE}.limit", "judge_rate", replaced(passing), "refusals"),
    "quantile": (f"{JUDGE}.limit", "judge_quantile_values", replaced(passing), "response-time"),
    "extreme": (f"{JUDGE}.limit", "judge_extreme", replaced(passing), "extremes"),
    "equality": (f"{JUDGE}.limit", "judge_equality", replaced(passing), "equal"),
    "equality-of-tests": (f"{JUDGE}.criterion", "judge_equality", replaced(passing), "tests"),
    "all-pass": (f"{JUDGE}.criterion", "_all_pass", pass_of("verdict"), "tests"),
    "limits-unread": (f"{JUDGE}.criterion", "broken_limits", replaced(nothing), "failures"),
    "worst-counts": (f"{JUDGE}.criterion", "worst", best_of, "failures"),
    # what a population is
    "warm-up": (f"{JUDGE}.limit", "counted", keep_all, "response-time"),
    "plan": (f"{JUDGE}.limit", "_planned", tolerant, "failures"),
    "plan-of-extremes": (f"{JUDGE}.limit", "_planned", tolerant, "extremes"),
    "blocks": (f"{JUDGE}.limit", "_in_blocks", as_judged_already, "response-time"),
    "blocks-mixed": (f"{JUDGE}.limit", "block_sizes", sizes, "response-time"),
    "schedule": (f"{JUDGE}.limit", "open_loop", not_open, "response-time"),
    "two-durations": (f"{JUDGE}.limit", "_JUDGES:duration", one_figure, "elapsed"),
    "one-sided": (f"{JUDGE}.limit", "_JUDGES:equal", first_named, "equal"),
    # comparisons of figures
    "pairs": (f"{JUDGE}.limit", "_JUDGES:equivalence", replaced(passing), "alike"),
    "series": (f"{JUDGE}.limit", "_JUDGES:regression", replaced(passing), "size"),
    "other-side": (f"{JUDGE}.limit", "_JUDGES:regression", first_named, "size"),
    "turns-of-pairs": (f"{JUDGE}.comparison", "pairing_fault", replaced(lambda *_: ""), "alike"),
    "turns-of-series": (f"{JUDGE}.comparison", "series_fault", replaced(lambda *_: ""), "growth"),
    "untold-pairs": (f"{JUDGE}.comparison", "_calls", told_or_not, "alike"),
    "lost-pairs": (f"{JUDGE}.comparison", "judge_equivalence", unlost, "alike"),
    "pairs-without-bounds": (f"{STATISTICS}.comparison:_Side", "of", estimated, "alike"),
    "series-without-bounds": (f"{STATISTICS}.comparison:_Side", "of", estimated, "size"),
    "controls-of-series": (f"{JUDGE}.comparison", "judge_no_regression_controlled", uncontrolled, "growth"),
    "resolution-of-pairs": (f"{JUDGE}.comparison", "_resolution", replaced(lambda *_: Fraction(0)), "alike"),
    "resolution-of-series": (f"{JUDGE}.comparison", "_resolution", replaced(lambda *_: Fraction(0)), "growth"),
    "coarse-timer-of-pairs": (f"{STATISTICS}.comparison", "_coarse", replaced(lambda *_: None), "alike"),
    "plan-of-series": (f"{JUDGE}.comparison", "_plan", replaced(lambda *_: None), "size"),
    "units": (f"{JUDGE}.population", "_scale", unscaled, "extremes"),
    "not-a-number": (f"{JUDGE}.population", "_number", finite, "extremes"),
    "kind-of-figures": (f"{JUDGE}.population", "_number", any_kind, "longest"),
    "failed-calls": (f"{JUDGE}.population", "_number", forgiving, "longest"),
    "times": (f"{JUDGE}.population", "_check_times", replaced(lambda *_: None), "response-time"),
    "negative-times": (f"{JUDGE}.population", "_check_times", replaced(lambda *_: None), "longest"),
    "kind-of-outcomes": (f"{JUDGE}.limit", "outcomes", hits_of_failed, "rate"),
    "kind-of-counts": (f"{JUDGE}.limit", "events", any_events, "count"),
    "kind-of-items": (f"{JUDGE}.limit", "items", any_items, "equal"),
    "items-loosely": (f"{JUDGE}.limit", "same", loosely, "equal"),
    "items-nearly": (f"{JUDGE}.limit", "same", nearly, "equal"),
    "order": (f"{JUDGE}.criterion", "is_whole", replaced(yes), "failures"),
    "measured-twice": (f"{JUDGE}.criterion", "populations", last_wins, "failures"),
    "every-test": (f"{JUDGE}.criterion", "populations", first_population, "failures"),
    "unfed-limits": (f"{JUDGE}.criterion", "_judge_limits", uncounted, "failures"),
    # how tests ended
    "tests": (f"{JUDGE}.criterion", "judge_tests", replaced(nothing), "failures"),
    "deliveries": (f"{JUDGE}.criterion", "judge_deliveries", replaced(nothing), "failures"),
    "left-open": (f"{JUDGE}.criterion", "judge_deliveries", findings_without("measurement-broken"), "failures"),
    "silent-tests": (f"{JUDGE}.criterion", "judge_deliveries", findings_without("not-delivered"), "failures"),
    **{
        f"end-{word}": (f"{JUDGE}.tests", "_judge_end", unread(word), "failures")
        for word in ("assertion", "error", "skip", "xfail", "limited", "blocked", "lost", "crash", "exit", "timeout")
    },
    **{
        f"excused-{word}": (f"{JUDGE}.tests", "_judge_end", excused(word), "failures")
        for word in ("assertion", "error", "skip", "xfail", "limited", "blocked", "lost", "crash", "exit", "timeout")
    },
    "kept-back-without-need": (
        f"{JUDGE}.tests", "judge_kept_back",
        replaced(lambda *_: Finding(Verdict.ENVIRONMENT_LIMITED, "requirement", "made up")), "failures",
    ),
    "rerun-to-pass": (f"{JUDGE}.tests", "_judge_test", latest_only, "failures"),
    "rerun-to-fail": (f"{JUDGE}.tests", "_judge_test", earliest_only, "failures"),
    "uncollected": (f"{JUDGE}.tests", "_uncollected", replaced(nothing), "failures"),
    "unreached": (f"{JUDGE}.criterion", "judge_tests", findings_without("not-reached"), "failures"),
    "deselected": (f"{JUDGE}.criterion", "judge_tests", findings_without("deselected", "uncollected"), "failures"),
    "collection-errors": (f"{JUDGE}.criterion", "judge_tests", findings_without("collection-error"), "failures"),
    "no-tests": (f"{JUDGE}.criterion", "judge_tests", findings_without("no-tests", "uncollected"), "failures"),
    "crashes": (JUDGE, "make_context", no_crash, "failures"),
    # rows
    "row": (f"{JUDGE}.row", "judge_consecutive_each", replaced(passing), "row"),
    "row-runs-unread": (f"{JUDGE}.row", "_as_judged", passed, "row"),
    "row-hunted": (f"{STATISTICS}.consecutive", "_row_verdict", unhunted, "row"),
    "row-broken": (f"{STATISTICS}.consecutive", "_row_verdict", unbroken, "clean-row"),
    "row-of-one": (f"{STATISTICS}.consecutive", "_row_verdict", last_run_only, "row"),
    "row-best-population": (f"{JUDGE}.row", "_by_run", best_run, "row"),
    "row-unclosed": (JUDGE, "make_context", all_closed, "clean-row"),
    # controls
    "guarded": (JUDGE, "_guarded", unguarded, "failures"),
    "never-blind": (JUDGE, "_is_blind", replaced(no), "failures"),
    "control-found-out": (f"{JUDGE}.control", "_found_out", replaced(yes), "control"),
    "control-blocks": (f"{JUDGE}.control", "_broken_blocks", replaced(nothing), "control"),
    "control-differs": (f"{JUDGE}.control", "_broken_blocks", findings_without("control-differs"), "control"),
    "control-unopened": (f"{JUDGE}.control", "_broken_blocks", findings_without("control-unopened"), "control"),
    "control-unclosed": (f"{JUDGE}.control", "_closed_well", replaced(yes), "control"),
    "control-short": (f"{JUDGE}.control", "_MISSING", replaced(frozenset()), "doubt"),
    "control-twice": (f"{JUDGE}.control", "populations", last_wins, "control"),
    # subjects, fidelity, requirements
    "subjects": (f"{JUDGE}.criterion", "judge_subjects", replaced(nothing), "staging"),
    "subject-unseen": (f"{JUDGE}.subjects", "_unseen", replaced(nothing), "staging"),
    "subject-below": (f"{JUDGE}.subjects", "_below", replaced(nothing), "staging"),
    "subject-changed": (f"{JUDGE}.subjects", "_changed", replaced(nothing), "staging"),
    "subject-gone": (f"{JUDGE}.subjects", "_gone", replaced(nothing), "staging"),
    "challenge-unread": (f"{JUDGE}.subjects", "observed_fidelity", as_registered, "staging"),
    "challenge-always-met": ("pytest_spiral.rules.fidelity", "shortfall", replaced(lambda _: ""), "staging"),
    "nonce-unread": ("pytest_spiral.rules.fidelity", "CHALLENGES:nonce-item", replaced(lambda *_: ""), "staging"),
    "fidelity": (f"{JUDGE}.criterion", "_at_fidelity", the_same, "staging"),
    "fidelity-declared": (f"{JUDGE}.criterion", "shown_fidelity", most_real, "staging"),
    "fidelity-no-condition": (JUDGE, "_standing", counts_for_more, "staging"),
    "requirement": (f"{JUDGE}.criterion", "on_requirement", the_same, "needs"),
    "requirement-met": (f"{JUDGE}.needs", "judge_needs", replaced(lambda *_: None), "needs"),
    # documents that people examine
    **{
        f"examined-{code}": (f"{JUDGE}.examination", "examination_faults", faults_without(code), "charter")
        for code in ("examined-other", "unsigned", "document-changed", "other-signer", "examined-later", "rehearsal")
    },
    "examined-unkept": (f"{JUDGE}.examination", "_unkept", replaced(nothing), "charter"),
    "examined-by-anybody": ("pytest_spiral.rules.examination", "signer_faults", replaced(nothing), "charter"),
    "examined-as-live": (f"{JUDGE}.criterion", "examined_fidelity", most_real, "minutes"),
    "examined-not-at-all": (f"{JUDGE}.criterion", "judge_examination", replaced(lambda *_: ((), [])), "charter"),
    # what it adds up to
    "decision": (JUDGE, "combine", always_go, "failures"),
    "decision-of-all": (JUDGE, "combine_stage", always_go, "failures"),
    "cap": (JUDGE, "combine", uncapped, "plain"),
    "gates-not-there": (JUDGE, "_not_there", replaced(lambda _: ()), "failures"),
}  # fmt: skip


def never_refused(original, code):
    def refused(*arguments):
        found = original(*arguments)
        return None if found is not None and str(found.reason) == code else found

    return refused


def switch_off(monkeypatch, module, attribute, change):
    """Change a function, a method (`module:Class`) or an entry of a table (`TABLE:key`)."""
    path, _, kind = module.partition(":")
    owner = importlib.import_module(path)
    owner = getattr(owner, kind) if kind else owner
    name, _, key = attribute.partition(":")
    if key:
        table = getattr(owner, name)
        monkeypatch.setitem(table, key, change(table[key]))
    else:
        monkeypatch.setattr(owner, name, change(getattr(owner, name)))


def criterion(word):
    return REFERENCE.criterion(f"J1.{word}")


@pytest.mark.parametrize("name", SWITCHES)
def test_switching_off_one_check_turns_the_selftest_red(monkeypatch, name):
    module, attribute, change, word = SWITCHES[name]
    switch_off(monkeypatch, module, attribute, change)
    assert prove(criterion(word), REFERENCE).state == "blind"


def test_two_checks_that_find_the_same_defect_must_both_be_off(monkeypatch):
    """A run that no record opens is told by its block, and missing in its row."""
    switch_off(monkeypatch, f"{JUDGE}.criterion", "judge_blocks", findings_without("run-unopened"))
    assert prove(criterion("row"), REFERENCE).state == "proven"
    switch_off(monkeypatch, f"{JUDGE}.criterion", "judge_row", inherited)
    assert prove(criterion("row"), REFERENCE).state == "blind"


@pytest.mark.parametrize("word", [one.word for one in REFERENCE.criteria()])
def test_the_judge_as_it_is_catches_everything(word):
    proof = prove(criterion(word), REFERENCE)
    assert (proof.state, proof.missed) == ("proven", ())
