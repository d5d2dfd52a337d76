"""The exercises and the quiz of lesson 15, the open lab."""

import math
import re

import jax.numpy as jnp
import numpy as np

from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

GIVEN = """
import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from gan_jax import data, lab, losses, metrics, nets, plots, train
from gan_jax.train import Gan, Hyperparams
"""

LEAST_SEEDS = 5

MEASURES = ("modes covered", "high-quality share", "reverse KL", "sliced W2", "W2", "MMD")


def _has_words(value, least=1):
    return isinstance(value, str) and len(value.split()) >= least


def _fields(answer, names):
    """The answer as a dictionary with these keys."""
    if not isinstance(answer, dict):
        raise Wrong(f"It should be a dictionary, as in the stub; yours is a {type(answer).__name__}.")
    missing = [name for name in names if name not in answer]
    if missing:
        raise Wrong(f"These entries are missing: {', '.join(missing)}.")
    return answer


def _pair(value, what):
    """One value for both settings, or one for each."""
    return tuple(value) if isinstance(value, (tuple, list, np.ndarray)) and len(value) == 2 else (value, value)


def _count(value, what):
    if np.ndim(value):
        raise Wrong(f"{what} should be one number; this is a list of {np.size(value)}.")
    number = float(to_array(value, what, ()))
    if number != round(number) or number < 1:
        raise Wrong(f"{what} should be a whole number; yours is {number:g}.")
    return int(number)


def _before(value):
    """Whether a text says that something was fixed before; "I did not fix it before" does not."""
    text = value.lower() if isinstance(value, str) else ""
    return "before" in text and not re.search(r"\b(not|never)\b[^,;.:]*before|n't\b[^,;.:]*before", text)


# ---- a fair plan ----

DIALS = {"penalty_weight": 0.0, "lr_g": 2e-3, "lr_d": 2e-3}


def check_fair_plan(plan):
    plan = _fields(plan, ("first", "second", "steps", "seeds", "measure", "summary", "chosen"))
    first, second = plan["first"], plan["second"]
    if not isinstance(first, dict) or not isinstance(second, dict) or set(first) != set(second):
        raise Wrong("`first` and `second` should be dictionaries that name the same dials, as in the stub.")
    values = {
        name: [float(to_array(dials[name], f"the dial {name}", ())) for dials in (first, second)] for name in first
    }
    changed = [name for name, (one, other) in values.items() if one != other]
    if not changed:
        raise Wrong("The two settings are the same: there is nothing to compare.")
    if len(changed) > 1:
        raise Wrong(
            f"Two changes at once ({', '.join(changed)}): whatever comes out, you could not say which of them did it."
        )
    if changed != ["penalty_weight"]:
        raise Wrong(f"The question is about R1, whose dial is penalty_weight; your plan changes {changed[0]}.")
    weights = values["penalty_weight"]
    if min(weights) < 0:
        raise Wrong("A weight below 0 rewards D for a steep answer: that is no R1.")
    if min(weights) > 0:
        raise Wrong(f"Both settings have R1, of weight {weights[0]:g} and {weights[1]:g}; one should be without, at 0.")
    steps = [_count(value, "the number of steps") for value in _pair(plan["steps"], "steps")]
    if steps[0] != steps[1]:
        raise Wrong(
            f"Unequal budgets: {steps[0]:,} against {steps[1]:,} steps. The longer run may win by its length alone."
        )
    seeds = [_count(value, "the number of seeds") for value in _pair(plan["seeds"], "seeds")]
    if seeds[0] != seeds[1]:
        raise Wrong(f"{seeds[0]} seeds against {seeds[1]}: the same seeds for both, so that each run has its partner.")
    if seeds[0] < LEAST_SEEDS:
        raise Wrong(
            f"{seeds[0]} {'seed is an anecdote' if seeds[0] == 1 else 'seeds are too few'}; take at least 5, better 16."
        )
    summaries = _pair(plan["summary"], "summary")
    if any(isinstance(s, str) and s in ("best", "max", "maximum") for s in summaries):
        raise Wrong("The best seed is picked after seeing the scores: it tells how lucky you were, not how good R1 is.")
    if not all(isinstance(s, str) and s in ("mean", "median") for s in summaries) or summaries[0] != summaries[1]:
        raise Wrong('`summary` should be "mean" or "median", the same for both settings.')
    measure = plan["measure"]
    if isinstance(measure, (list, tuple, set)):
        raise Wrong("Several measures are several chances to be fooled by noise: name one that decides.")
    if isinstance(measure, str) and "loss" in measure:
        raise Wrong("A loss is no score: it says who is ahead, not how good the fakes are (lesson 00).")
    if measure not in MEASURES:
        raise Wrong(f"`measure` should be the name of one metric for the ring: {', '.join(MEASURES)}.")
    chosen = plan["chosen"].lower() if isinstance(plan["chosen"], str) else ""
    if "after" in chosen and not _before(chosen):
        raise Wrong("A measure picked after the runs is the one on which noise happened to please you. Pick it before.")
    if not _before(chosen):
        raise Wrong('`chosen` says when measure and seeds were fixed: "before the runs".')
    return (
        "One change, equal budgets, the same seeds, one measure fixed in advance. Now the runs may say what they like."
    )


fair_plan = Exercise(
    name="fair_plan",
    goal="Repair the colleague's plan: a comparison of no R1 with R1 that would be fair.",
    stub="""
fair_plan = {
    "first": {"penalty_weight": 0.0, "lr_g": 2e-3, "lr_d": 2e-3},
    "second": ...,  # the same dials, with R1
    "steps": ...,  # a number, or one for each setting
    "seeds": ...,  # likewise
    "measure": ...,  # a name in metrics.METRICS
    "summary": ...,  # of the seeds' scores: "best", "mean" or "median"
    "chosen": ...,  # when measure and seeds are fixed: "before the runs" or "after the runs"
}
""",
    hints=(
        "Go through the report line by line, and ask of each difference: could this alone have done it?",
        "One dial differs; steps and seeds are equal; at least 5 seeds; one measure, fixed before; no picking.",
        "    second: copy first, and set penalty_weight to 0.1\n    steps: 2000, seeds: 16\n    measure: one "
        'name, "mean", "before the runs"',
    ),
    solution="""
fair_plan = {
    "first": {"penalty_weight": 0.0, "lr_g": 2e-3, "lr_d": 2e-3},
    "second": {"penalty_weight": 0.1, "lr_g": 2e-3, "lr_d": 2e-3},
    "steps": 2000,
    "seeds": 16,
    "measure": "high-quality share",
    "summary": "mean",
    "chosen": "before the runs",
}
""",
    check=check_fair_plan,
    also_right=(
        """
dials = {"penalty_weight": np.float32(0), "lr_g": 2e-3, "lr_d": 2e-3}
fair_plan = {
    "first": dials, "second": dials | {"penalty_weight": jnp.float32(1)}, "steps": (3000, 3000), "seeds": [8, 8],
    "measure": "modes covered", "summary": ("median", "median"), "chosen": "Before the runs, not after",
}
""",
    ),
    tempting=tuple(
        Tempting(
            'fair_plan = {"first": {"penalty_weight": 0.0, "lr_g": 2e-3, "lr_d": 2e-3}, "second": {"penalty_weight": '
            '0.1, "lr_g": 2e-3, "lr_d": 2e-3}, "steps": 2000, "seeds": 16, "measure": "high-quality share", "summary": '
            f'"mean", "chosen": "before the runs"}} | {changes}',
            says,
        )
        for changes, says in (
            ('{"steps": (2000, 4000)}', "Unequal budgets"),
            ('{"second": {"penalty_weight": 0.1, "lr_g": 1e-3, "lr_d": 2e-3}}', "Two changes at once"),
            ('{"summary": ("mean", "best")}', "picked after seeing"),
            ('{"seeds": 1}', "an anecdote"),
            ('{"seeds": (8, 16)}', "has its partner"),
            ('{"chosen": "after the runs"}', "noise happened to please you"),
            ('{"measure": ["modes covered", "high-quality share"]}', "several chances"),
            ('{"measure": "loss_g"}', "A loss is no score"),
            ('{"second": {"penalty_weight": 0.0, "lr_g": 1e-3, "lr_d": 2e-3}}', "whose dial is penalty_weight"),
            ('{"second": {"penalty_weight": -0.1, "lr_g": 2e-3, "lr_d": 2e-3}}', "that is no R1"),
            ('{"first": {"penalty_weight": 1.0, "lr_g": 2e-3, "lr_d": 2e-3}}', "one should be without"),
            ('{"chosen": "not before the runs"}', "says when measure and seeds were fixed"),
        )
    ),
)


# ---- runs are what counts, not samples ----


def _hits(shares, n=400):
    return np.arange(n)[None] < np.round(np.asarray(shares)[:, None] * n)


def check_standard_error(standard_error):
    shares, n = np.array([0.9, 0.55, 0.7, 0.85, 0.2]), 400
    hits = _hits(shares, n)
    answer = to_array(standard_error(jnp.asarray(hits)), "the pair (mean, standard error)", None)
    if answer.shape != (2,):
        raise Wrong(f"Return two numbers, the mean and its standard error; yours has shape {answer.shape}.")
    runs, mean = len(shares), shares.mean()
    counted = "That counts samples: 2,000 samples of 5 runs are 5 runs, because a run's samples share its fate."
    mistakes = [
        (np.sqrt(mean * (1 - mean) / (runs * n)), counted),
        (hits.std(ddof=1) / np.sqrt(runs * n), counted),
        (shares.std(ddof=1) / np.sqrt(runs * n), "The spread is that of runs, but it is "
         "divided by the number of samples."),
        (shares.std(ddof=1) / np.sqrt(n), "Divide by the root of the number of runs, not of samples a run."),
        (shares.std(ddof=1), "This is the runs' standard deviation. That of their mean is smaller by the root of their "
         "number."),
        (shares.std() / np.sqrt(runs), "Divide by runs - 1 within the deviation: `ddof=1`."),
        (shares.std(ddof=1) / runs, "Divide by the root of the number of runs."),
        (shares.var(ddof=1) / runs, "This is the error's square: take the root."),
        (1.96 * shares.std(ddof=1) / np.sqrt(runs), "This is 1.96 standard errors, half of an interval; give one."),
        (np.sqrt(mean * (1 - mean) / runs), "This is the deviation of single samples; average over each run first."),
        (hits.std(ddof=1) / np.sqrt(runs), "This is the deviation of single samples; average over each run first."),
        (hits.mean(axis=0).std(ddof=1) / np.sqrt(n), "Average over the samples of each run (axis 1) first."),
        (hits.mean(axis=0).std(ddof=1) / np.sqrt(runs), "Average over the samples of each run (axis 1) first."),
    ]  # fmt: skip
    expect(
        answer[0],
        mean,
        "the mean share",
        [
            (shares.std(ddof=1) / np.sqrt(runs), "The mean comes first."),
            (np.median(shares), "This is the median of the runs."),
        ],
    )
    expect(answer[1], shares.std(ddof=1) / np.sqrt(runs), "its standard error", mistakes,
           otherwise="One number a run first; then the deviation of these over the root of their number.")  # fmt: skip
    even = to_array(standard_error(_hits([0.25, 0.75], 8)), "the pair for two runs", None)
    expect(even, [0.5, 0.25], "the pair for runs of share 0.25 and 0.75")
    return "More samples sharpen each run's score. Only more runs sharpen what you say about the setting."


standard_error = Exercise(
    name="standard_error",
    goal="From which samples are good, in each run: the mean share of good samples, and its standard error over runs.",
    stub='''
def standard_error(hits):
    """True or False for each sample, shape (runs, samples), comes in; (mean share, its standard error) goes out.

    Two runs whose shares are 0.25 and 0.75: (0.5, 0.25).
    """
    return ...
''',
    hints=(
        "What would you repeat to get an independent number: the drawing of a sample, or the training of a run?",
        "With run scores s_1 ... s_n: the mean, and sqrt(sum (s_i - mean)^2 / (n - 1)) / sqrt(n).",
        "    score = mean of hits over axis 1\n    return mean of score, std of score (ddof=1) / root of len(score)",
    ),
    solution="""
def standard_error(hits):
    scores = np.mean(hits, axis=1)
    return scores.mean(), scores.std(ddof=1) / np.sqrt(len(scores))
""",
    check=check_standard_error,
    also_right=(
        """
def standard_error(hits):
    scores = jnp.mean(hits, axis=1)
    variance = jnp.sum((scores - scores.mean()) ** 2) / (len(scores) - 1)
    return jnp.stack([jnp.mean(scores), jnp.sqrt(variance / len(scores))])
""",
        """
def standard_error(hits):
    scores = [float(np.mean(run)) for run in np.asarray(hits)]
    return np.mean(scores), stats.sem(scores)
""",
    ),
    tempting=(
        Tempting(
            "def standard_error(hits):\n    p = np.mean(hits)\n    return p, np.sqrt(p * (1 - p) / np.size(hits))",
            "counts samples",
        ),
        Tempting(
            "def standard_error(hits):\n    s = np.mean(hits, axis=1)\n    return s.mean(), s.std(ddof=1)",
            "runs' standard deviation",
        ),
        Tempting(
            "def standard_error(hits):\n    s = np.mean(hits, axis=1)\n"
            "    return s.mean(), s.std(ddof=1) / np.sqrt(np.size(hits))",
            "divided by the number of samples",
        ),
        Tempting(
            "def standard_error(hits):\n    s = np.mean(hits, axis=0)\n"
            "    return s.mean(), s.std(ddof=1) / np.sqrt(len(s))",
            "axis 1",
        ),
        Tempting(
            "def standard_error(hits):\n    s = np.mean(hits, axis=1)\n    return s.mean(), s.std() / np.sqrt(len(s))",
            "ddof=1",
        ),
    ),
)  # fmt: skip


# ---- the interval about a difference ----

FIRST = np.array([0.62, 0.71, 0.35, 0.80, 0.55, 0.66])
SECOND = np.array([0.70, 0.69, 0.50, 0.84, 0.68, 0.61])


def _half_width(values, quantile):
    return quantile * values.std(ddof=1) / math.sqrt(len(values))


def check_difference_interval(difference_interval):
    from scipy import stats

    difference, n = SECOND - FIRST, len(FIRST)
    mean, t = difference.mean(), stats.t.ppf(0.975, n - 1)
    right = mean + np.array([0.0, -1.0, 1.0]) * _half_width(difference, t)

    def around(centre, half):
        return [centre, centre - half, centre + half]

    unpaired = math.sqrt(FIRST.var(ddof=1) / n + SECOND.var(ddof=1) / n)
    mistakes = [
        (-right, "The sign is turned: second minus first, so that above 0 the second is better."),
        (-right[[0, 2, 1]], "The sign is turned: second minus first, so that above 0 the second is better."),
        (around(mean, _half_width(difference, 1.96)), "1.96 belongs to a known spread. With 6 seeds, whose spread is "
         "itself a guess, Student's t is 2.571."),
        (around(mean, _half_width(difference, 2.0)), "2 belongs to many seeds. With 6, Student's t is 2.571."),
        (around(mean, t * difference.std(ddof=1)), "Without the root of n this is where single runs lie, not how sure "
         "their mean is."),
        (around(mean, t * difference.std() / math.sqrt(n)), "Divide by n - 1 within the deviation: `ddof=1`."),
        (around(mean, difference.std(ddof=1) / math.sqrt(n)), "One standard error holds 68 % at best; 95 % takes "
         "Student's t of them."),
        (around(mean, stats.t.ppf(0.95, n - 1) * difference.std(ddof=1) / math.sqrt(n)), "5 % on one side makes a 90 % "
         "interval: it is 2.5 % on each side, so the quantile at 0.975."),
        (around(mean, _half_width(difference, stats.t.ppf(0.975, n))), "It has n - 1 degrees of freedom."),
        (around(mean, t * unpaired), "These are two separate groups. Seed by seed they are pairs: take the differences "
         "first."),
        (around(mean, stats.t.ppf(0.975, 2 * n - 2) * unpaired), "These are two separate groups. Seed by seed they are "
         "pairs: take the differences first."),
        (right[[1, 0, 2]], "The order is mean, low end, high end."),
        (right[[0, 2, 1]], "The order is mean, low end, high end."),
        (around(mean, t * difference.std(ddof=1) / n), "Divide by the root of n."),
        (around(mean, _half_width(difference, 2.776)), "2.78 is Student's t for 5 seeds: it depends on n."),
        (around(mean, _half_width(difference, 2.78)), "2.78 is Student's t for 5 seeds: it depends on n."),
        (around(abs(difference).mean(), _half_width(abs(difference), t)), "Keep the signs: where the second is worse "
         "it counts against the others."),
        ([mean, difference.min(), difference.max()], "Smallest and largest difference say where single pairs lie, not "
         "how sure the mean is."),
        ([mean, *np.quantile(difference, [0.025, 0.975])], "Quantiles of the differences say where single pairs lie, "
         "not how sure the mean is."),
    ]  # fmt: skip
    answer = to_array(difference_interval(FIRST, SECOND), "the triple (mean, low, high)", None)
    if answer.shape != (3,):
        raise Wrong(f"Return three numbers: mean, low end, high end; yours has shape {answer.shape}.")
    expect(answer, right, "the triple (mean, low, high)", mistakes,
           otherwise="The mean difference, and Student's t times its standard error to each side.")  # fmt: skip
    more = np.tile(difference, 4)
    half = _half_width(more, stats.t.ppf(0.975, len(more) - 1))
    expect(difference_interval(np.zeros(24), jnp.asarray(more)), around(mean, half), "the triple for 24 seeds",
           [(around(mean, 2.5706 * more.std(ddof=1) / math.sqrt(24)), "Student's t depends on n: for 24 it is 2.069.")],
           tolerance=2e-4)  # fmt: skip
    return "The interval is about the mean difference: 95 of 100 such intervals hold the true one."


difference_interval = Exercise(
    name="difference_interval",
    goal="Scores of two settings from the same seeds: the mean difference, second minus first, and its 95 % interval.",
    stub='''
def difference_interval(first, second):
    """Scores of the same seeds under two settings, shape (seeds,) each, come in; (mean, low, high) goes out.

    difference_interval([0.5, 0.6, 0.7], [0.6, 0.8, 1.0]) is (0.2, -0.048, 0.448).
    """
    return ...
''',
    hints=(
        "Run i of both settings began from the same weights: they are a pair. One difference a seed, then treat these "
        "as your only data.",
        "mean(d) -+ t s / sqrt(n): d = second - first, s their deviation (n - 1), t = stats.t.ppf(0.975, n - 1).",
        "    d = second - first, as arrays\n    half = stats.t.ppf(0.975, n - 1) * d.std(ddof=1) / sqrt(n)\n"
        "    return the mean, mean - half, mean + half",
    ),
    solution="""
def difference_interval(first, second):
    difference = np.asarray(second) - np.asarray(first)
    n = len(difference)
    half = stats.t.ppf(0.975, n - 1) * difference.std(ddof=1) / np.sqrt(n)
    return difference.mean(), difference.mean() - half, difference.mean() + half
""",
    check=check_difference_interval,
    also_right=(
        """
def difference_interval(first, second):
    d = np.asarray(second) - np.asarray(first)
    low, high = stats.t.interval(0.95, len(d) - 1, loc=np.mean(d), scale=stats.sem(d))
    return float(np.mean(d)), float(low), float(high)
""",
        """
def difference_interval(first, second):
    found = stats.ttest_rel(second, first)
    low, high = found.confidence_interval(0.95)
    return jnp.array([jnp.mean(jnp.asarray(second) - jnp.asarray(first)), low, high])
""",
    ),
    tempting=(
        Tempting(
            "def difference_interval(first, second):\n    d = np.asarray(second) - np.asarray(first)\n"
            "    h = 1.96 * d.std(ddof=1) / np.sqrt(len(d))\n    return d.mean(), d.mean() - h, d.mean() + h",
            "1.96 belongs to a known spread",
        ),
        Tempting(
            "def difference_interval(first, second):\n    d = np.asarray(second) - np.asarray(first)\n"
            "    return d.mean(), d.min(), d.max()",
            "where single pairs lie",
        ),
        Tempting(
            "def difference_interval(first, second):\n    d = np.asarray(first) - np.asarray(second)\n"
            "    h = stats.t.ppf(0.975, len(d) - 1) * stats.sem(d)\n    return d.mean(), d.mean() - h, d.mean() + h",
            "sign is turned",
        ),
        Tempting(
            "def difference_interval(first, second):\n    d = np.asarray(second) - np.asarray(first)\n"
            "    h = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1)\n    return d.mean(), d.mean() - h, d.mean() + h",
            "Without the root of n",
        ),
        Tempting(
            "def difference_interval(first, second):\n    found = stats.ttest_ind(second, first)\n"
            "    return np.mean(second) - np.mean(first), *found.confidence_interval(0.95)",
            "two separate groups",
        ),
    ),
)


# ---- reading an interval ----

VERDICTS = ("better", "worse", "too small to matter", "undecided")

INTERVALS = (
    ((0.10, 0.30, 0.05), "better"),
    ((-0.40, -0.20, 0.05), "worse"),
    ((-0.02, 0.03, 0.05), "too small to matter"),
    ((-0.10, 0.20, 0.05), "undecided"),
    ((0.01, 0.04, 0.05), "too small to matter"),
    ((0.01, 0.40, 0.05), "undecided"),
    ((-0.30, 0.02, 0.05), "undecided"),
    ((0.10, 0.30, 0.20), "undecided"),
    ((-0.30, 0.30, 0.50), "too small to matter"),
)


def _read(low, high, least):
    if low > least or high < -least:
        return "better" if low > least else "worse"
    return "too small to matter" if max(-low, high) <= least else "undecided"


def check_read_interval(read_interval):
    answers = []
    for interval, _ in INTERVALS:
        answer = read_interval(*interval)
        if not isinstance(answer, str) or answer not in VERDICTS:
            raise Wrong(
                f"It should return one of {', '.join(map(repr, VERDICTS))}; for {interval} it gives {answer!r}."
            )
        answers.append(answer)
    wrong = [(i, a, right) for (i, right), a in zip(INTERVALS, answers, strict=True) if a != right]
    if not wrong:
        return '"Undecided" is an answer, and an honest one: these seeds can\'t tell. It is not "no difference".'
    (low, high, least), given, right = wrong[0]
    shown = f"The interval from {low:g} to {high:g}, where {least:g} would matter, is {right!r}; yours says {given!r}."
    middle = [abs((lo + hi) / 2) > least for (lo, hi, least), _ in INTERVALS]
    decided = [a in ("better", "worse") for a in answers]
    without_zero = [lo > 0 or hi < 0 for (lo, hi, _), _ in INTERVALS]
    if decided == middle:
        raise Wrong(
            f"{shown} Its middle lies beyond {least:g}, but its ends don't: a difference inside the noise is none."
        )
    if given in ("better", "worse") and low < 0 < high:
        raise Wrong(f"{shown} Part of it lies on the other side of 0: a verdict has to hold for the whole interval.")
    if given == "too small to matter" and low < 0 < high:
        raise Wrong(f"{shown} That 0 lies in it does not show that there is nothing: large differences lie in it, too.")
    if decided == without_zero or given in ("better", "worse"):
        raise Wrong(f"{shown} Without 0 in it there is a difference, but perhaps one too small to care about.")
    raise Wrong(f"{shown} Ask where the whole interval lies: above {least:g}, below -{least:g}, between, or across.")


read_interval = Exercise(
    name="read_interval",
    goal="Read a 95 % interval about second minus first (more is better) beside the least difference that matters.",
    stub='''
def read_interval(low, high, least):
    """An interval's ends and the least difference that matters (above 0) come in; one of four verdicts goes out:
    "better", "worse", "too small to matter", "undecided". read_interval(0.1, 0.3, 0.05) is "better".
    """
    return ...
''',
    hints=(
        "Mark -least and +least on a line. The interval may lie right of both, left of both, between, or across one.",
        'low > least: "better". high < -least: "worse". -least < low and high < least: "too small to matter".',
        '    if low > least: better\n    if high < -least: worse\n    if both ends are within least of 0: too small to '
        "matter\n    otherwise: undecided",
    ),
    solution="""
def read_interval(low, high, least):
    if low > least:
        return "better"
    if high < -least:
        return "worse"
    return "too small to matter" if max(abs(low), abs(high)) < least else "undecided"
""",
    check=check_read_interval,
    also_right=(
        """
def read_interval(low, high, least):
    zones = [-1 if end < -least else int(end > least) for end in (low, high)]
    names = {(1, 1): "better", (-1, -1): "worse", (0, 0): "too small to matter"}
    return names.get(tuple(zones), "undecided")
""",
    ),
    tempting=(
        Tempting(
            'def read_interval(low, high, least):\n    middle = (low + high) / 2\n    if abs(middle) <= least:\n'
            '        return "too small to matter"\n    return "better" if middle > 0 else "worse"',
            "inside the noise",
        ),
        Tempting(
            'def read_interval(low, high, least):\n    if low > 0:\n        return "better"\n'
            '    return "worse" if high < 0 else "too small to matter"',
            "large differences lie in it",
        ),
        Tempting(
            'def read_interval(low, high, least):\n    if low > 0:\n        return "better"\n    if high < 0:\n'
            '        return "worse"\n    return "too small to matter" if max(-low, high) < least else "undecided"',
            "too small to care about",
        ),
        Tempting('def read_interval(low, high, least):\n    return low > least', "one of 'better'"),
        Tempting(
            'def read_interval(low, high, least):\n    if high > least:\n        return "better"\n'
            '    return "worse" if low < -least else "too small to matter"',
            "on the other side of 0",
        ),
    ),
)  # fmt: skip


# ---- how many seeds ----

Z_95, Z_80 = 1.96, 0.84  # as in the text


def check_seeds_needed(seeds_needed):
    cases = [((0.3, 0.49, 0.3), 29), ((0.2, 0.2, 0.1), 63), ((0.2, 0.1, 0.05), 157), ((0.3, 0.3, 0.2), 36)]
    wrong = {
        "You took only one of the two spreads: both settings are noisy, and their variances add.": lambda a, b, d: (
            math.ceil((Z_95 + Z_80) ** 2 * a**2 / d**2)
        ),
        "You took only the second of the spreads: both settings are noisy, and their variances add.": lambda a, b, d: (
            math.ceil((Z_95 + Z_80) ** 2 * b**2 / d**2)
        ),
        "With 1.96 alone you find the difference half of the time: for 80 % add 0.84.": lambda a, b, d: math.ceil(
            Z_95**2 * (a**2 + b**2) / d**2
        ),
        "The number of seeds grows with the square: half the difference takes four times the seeds.": lambda a, b, d: (
            math.ceil((Z_95 + Z_80) * math.hypot(a, b) / d)
        ),
        "Add the variances, not the deviations.": lambda a, b, d: math.ceil((Z_95 + Z_80) ** 2 * (a + b) ** 2 / d**2),
        "Rounded down, the seeds are one too few: round up.": lambda a, b, d: math.floor(
            (Z_95 + Z_80) ** 2 * (a**2 + b**2) / d**2
        ),
        "Rounded to the nearest, one is lacking where the fraction is below a half: round up.": lambda a, b, d: round(
            (Z_95 + Z_80) ** 2 * (a**2 + b**2) / d**2
        ),
        "Square 1.96 + 0.84 as a sum: the squares of the two add to less.": lambda a, b, d: math.ceil(
            (Z_95**2 + Z_80**2) * (a**2 + b**2) / d**2
        ),
        "Square 1.96 + 0.84, too.": lambda a, b, d: math.ceil((Z_95 + Z_80) * (a**2 + b**2) / d**2),
        "Square the difference, too.": lambda a, b, d: math.ceil((Z_95 + Z_80) ** 2 * (a**2 + b**2) / d),
        "Square the spreads and the difference.": lambda a, b, d: math.ceil((Z_95 + Z_80) ** 2 * (a + b) / d),
        "This counts both settings together: how many for each?": lambda a, b, d: math.ceil(
            2 * (Z_95 + Z_80) ** 2 * (a**2 + b**2) / d**2
        ),
    }
    answers = [float(to_array(seeds_needed(*given), f"seeds_needed{given}", ())) for given, _ in cases]
    if answers[0] != round(answers[0]) or answers[1] != round(answers[1]):
        raise Wrong(f"A number of seeds is whole; yours is {answers[0]:g}. Round up.")
    enough = [right - 0.5 <= answer <= right + 1 for answer, (_, right) in zip(answers, cases, strict=True)]
    if all(enough):
        return "29 seeds of each tell a rate of 0.9 from one of 0.6 in 8 of 10 attempts. With 5 you mostly miss it."
    (given, right), answer = cases[enough.index(False)], answers[enough.index(False)]
    shown = f"For {given} it is {right}; yours is {answer:g}."
    for reason, mistake in wrong.items():
        if all(abs(answer - mistake(*given)) <= 0.5 for answer, (given, _) in zip(answers, cases, strict=True)):
            raise Wrong(f"{shown} {reason}")
    raise Wrong(f"{shown} See hint 2.")


seeds_needed = Exercise(
    name="seeds_needed",
    goal="How many seeds of each setting find a difference in 80 % of attempts, given how much the runs vary?",
    stub='''
def seeds_needed(first_spread, second_spread, difference):
    """Standard deviations over runs of both settings, and the true difference, come in; seeds of each go out.

    Runs that succeed at a rate of 0.9 have a spread of 0.3, at 0.6 one of 0.49: seeds_needed(0.3, 0.49, 0.3) is 29.
    """
    return ...
''',
    hints=(
        "The difference of two means varies by sqrt(s1^2 / n + s2^2 / n). How large must n be for the true difference "
        "to be 1.96 + 0.84 = 2.8 times that?",
        "n = (1.96 + 0.84)^2 (s1^2 + s2^2) / difference^2, rounded up.",
        "    n = 2.8 squared times (sum of the squared spreads) over the squared difference\n    return it rounded up",
    ),
    solution="""
def seeds_needed(first_spread, second_spread, difference):
    n = (1.96 + 0.84) ** 2 * (first_spread**2 + second_spread**2) / difference**2
    return math.ceil(n)
""",
    check=check_seeds_needed,
    also_right=(
        """
def seeds_needed(first_spread, second_spread, difference):
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    return int(np.ceil((z * np.hypot(first_spread, second_spread) / difference) ** 2))
""",
        """
def seeds_needed(first_spread, second_spread, difference):
    n = 2
    while 2.8 * jnp.sqrt((first_spread**2 + second_spread**2) / n) > difference:
        n += 1
    return n
""",
    ),
    tempting=(
        Tempting(
            "def seeds_needed(first_spread, second_spread, difference):\n"
            "    return math.ceil(1.96**2 * (first_spread**2 + second_spread**2) / difference**2)",
            "half of the time",
        ),
        Tempting(
            "def seeds_needed(first_spread, second_spread, difference):\n"
            "    return math.ceil(2.8**2 * first_spread**2 / difference**2)",
            "only one of the two spreads",
        ),
        Tempting(
            "def seeds_needed(first_spread, second_spread, difference):\n"
            "    return math.ceil(2.8 * math.hypot(first_spread, second_spread) / difference)",
            "grows with the square",
        ),
        Tempting(
            "def seeds_needed(first_spread, second_spread, difference):\n"
            "    return math.floor(2.8**2 * (first_spread**2 + second_spread**2) / difference**2)",
            "round up",
        ),
        Tempting(
            "def seeds_needed(first_spread, second_spread, difference):\n"
            "    return round(2.8**2 * (first_spread**2 + second_spread**2) / difference**2)",
            "to the nearest",
        ),
    ),
)


# ---- the write-up ----

PARTS = {
    "question": "What do you ask, in a sentence?",
    "prediction": "What did you expect before the runs, and why?",
    "first": "Which rules and dials has the first setting?",
    "second": "And the second: what differs?",
    "measure": "Which measure decides?",
    "chosen": "When were measure and seeds fixed?",
    "seeds": "How many seeds has each setting?",
    "steps": "How many steps has each run?",
    "perfect": "What does a perfect generator score?",
    "result": "The mean difference and its interval: (mean, low, high).",
    "least": "Which difference would be the least that matters?",
    "verdict": "How do you read the interval?",
    "limits": "For which targets, networks and budgets does it hold, and for which do you not know?",
    "would_change_my_mind": "Which result would have made you say the opposite?",
    "run": "What brings a run back: a share string, the code, or a file?",
}
"""What a write-up says, in its order, and the question that each part answers."""


def check_write_up(write_up):
    parts = _fields(write_up, PARTS)
    empty = [name for name in PARTS if isinstance(parts[name], str) and not parts[name].strip()]
    if empty:
        raise Wrong(f"Still empty: {', '.join(empty)}. {PARTS[empty[0]]}")
    for name, least in {"question": 5, "prediction": 3, "limits": 4, "would_change_my_mind": 4}.items():
        if not _has_words(parts[name], least):
            raise Wrong(f"`{name}` wants a sentence: {PARTS[name]}")
    if str(parts["first"]) == str(parts["second"]):
        raise Wrong("`first` and `second` say the same; write down what differs.")
    seeds = _count(parts["seeds"], "`seeds`")
    if seeds < LEAST_SEEDS:
        raise Wrong(f"{seeds} {'seed is' if seeds == 1 else 'seeds are'} an anecdote: at least 5 of each, better 16.")
    _count(parts["steps"], "`steps`")
    if not _has_words(parts["measure"]):
        raise Wrong("`measure` wants a name, such as the high-quality share.")
    if not _before(parts["chosen"]):
        raise Wrong(
            '`chosen` should say "before the runs". If it was after, run fresh seeds: what suggested a hypothesis '
            "can't test it."
        )
    to_array(parts["perfect"], "`perfect`", ())
    if not np.ndim(parts["result"]):
        raise Wrong("`result` is a mean without its interval: nobody can tell it from noise. Write (mean, low, high).")
    mean, low, high = to_array(parts["result"], "`result`, as (mean, low, high),", (3,))
    if not low <= mean <= high or low == high:
        raise Wrong(
            f"`result` should be (mean, low, high), with the mean inside; yours is ({mean:g}, {low:g}, {high:g})."
        )
    if float(to_array(parts["least"], "`least`", ())) <= 0:
        raise Wrong("`least` should be above 0: the smallest difference that you would care about.")
    if parts["verdict"] not in VERDICTS:
        raise Wrong(f"`verdict` should be one of {', '.join(map(repr, VERDICTS))}, by exercise 5.")
    matters = float(parts["least"])
    read = [_read(*ends, matters) for ends in ((low, high), (-high, -low))]  # of some measures less is better
    if parts["verdict"] not in read:
        raise Wrong(
            f"The interval from {low:g} to {high:g}, where {matters:g} would matter, reads {read[0]!r}; your `verdict` "
            f"is {parts['verdict']!r}."
        )
    if not _has_words(parts["run"]) or len(parts["run"]) < 12:
        raise Wrong(
            "`run` should let a reader see it: `view.share()`, `str(view.state)`, or the name of an exported file."
        )
    return "Complete. Whether it convinces is for a reader to say: swap write-ups, and read each other's by the rubric."


_EXAMPLE = """
write_up = {
    "question": "Does R1 of weight 0.1 raise the share of good samples on the ring of 8?",
    "prediction": "Yes, because it calms the game",
    "first": "two 32-32 MLPs, Adam, both rates 2e-3, no R1",
    "second": "the same with R1 of weight 0.1",
    "measure": "high-quality share",
    "chosen": "before the runs",
    "seeds": 16,
    "steps": 2000,
    "perfect": 0.989,
    "result": (-0.02, -0.15, 0.12),
    "least": 0.05,
    "verdict": "undecided",
    "limits": "This ring, these small networks, 2,000 steps only.",
    "would_change_my_mind": "An interval wholly above 0.05 on fresh seeds",
    "run": "r1_on_the_ring.html",
}
""".strip()

write_up = Exercise(
    name="write_up",
    goal="Write up your own comparison in fifteen entries. The check sees whether it is complete, not how good it is.",
    stub="""
write_up = {
    "question": ...,  # what do you ask, in a sentence?
    "prediction": ...,  # what did you expect before the runs, and why?
    "first": ...,  # rules and dials of the first setting
    "second": ...,  # and of the second: what differs?
    "measure": ...,  # which one decides
    "chosen": ...,  # when measure and seeds were fixed
    "seeds": ...,  # of each setting
    "steps": ...,  # of each run
    "perfect": ...,  # what a perfect generator scores
    "result": ...,  # (mean, low, high) of second minus first
    "least": ...,  # the least difference that matters
    "verdict": ...,  # by your read_interval
    "limits": ...,  # where it holds, and where you don't know
    "would_change_my_mind": ...,  # which result would have made you say the opposite?
    "run": ...,  # a share string, the code, or a file
}
""",
    hints=(
        "The worked example above answers every one of these: find each answer there, then write your own.",
        "result = difference_interval(first scores, second scores); verdict = read_interval(low, high, least).",
        "    text for question, prediction, first, second, measure, limits, would_change_my_mind\n    numbers for "
        "seeds, steps, perfect, least\n    three numbers for result, one of four words for verdict",
    ),
    solution=_EXAMPLE,
    check=check_write_up,
    also_right=(
        _EXAMPLE
        + '\nwrite_up |= {"result": np.array([0.2, 0.1, 0.3]), "verdict": "better", "seeds": np.int64(5), "perfect": '
        'jnp.float32(8), "first": {"lr_d": 2e-3}, "second": {"lr_d": 4e-3}}',
        _EXAMPLE
        + '\nwrite_up |= {"measure": "reverse KL, less is better", "result": (-0.2, -0.3, -0.1), "verdict": "better", '
        '"chosen": "Before the runs, not after"}',
    ),
    tempting=tuple(
        Tempting(f"{_EXAMPLE}\nwrite_up |= {changes}", says)
        for changes, says in (
            ('{"result": 0.2}', "without its interval"),
            ('{"result": (0.2, 0.3, 0.4)}', "with the mean inside"),
            ('{"seeds": 1}', "an anecdote"),
            ('{"would_change_my_mind": "nothing"}', "wants a sentence"),
            ('{"chosen": "after the runs"}', "run fresh seeds"),
            ('{"perfect": "good"}', "a number"),
            ('{"verdict": "significant"}', "one of 'better'"),
            ('{"verdict": "better"}', "reads 'undecided'"),
            ('{"chosen": "I did not fix it before"}', "run fresh seeds"),
            ('{"second": "two 32-32 MLPs, Adam, both rates 2e-3, no R1"}', "say the same"),
            ('{"limits": " "}', "Still empty"),
        )
    ),
)


# ---- stretch: what the best of k seeds scores ----


def _best_of(scores, k):
    ordered, n = np.sort(scores), len(scores)
    place = np.arange(1, n + 1)
    return float(np.sum(ordered * ((place / n) ** k - ((place - 1) / n) ** k)))


def check_expected_best(expected_best):
    scores = np.array([0.5, 0.1, 0.3, 0.4, 0.9])  # not in order, as seeds come
    n, place = len(scores), np.arange(1, 6)
    for k in (4, 2):
        mistakes = [
            (scores.max(), "This is the best of all; of k drawn seeds the best is often another."),
            (scores.mean(), "This is the mean, what one seed scores; it does not look at k."),
            (np.sum(np.sort(scores) * (place / n) ** k), "(i / n)^k is the chance that the best is at most the i-th; "
             "take away the chance that it is at most the one before."),
            (scores[:k].max(), "These are the first k, one draw of many."),
            (np.sort(scores)[-k:].mean(), "This is the mean of the k best scores, not the best of k draws."),
            (np.sum(scores * ((place / n) ** k - ((place - 1) / n) ** k)), "Sort the scores first."),
        ]  # fmt: skip
        answer = expected_best(jnp.asarray(scores), k)
        expect(answer, _best_of(scores, k), f"the expected best of {k}", mistakes, tolerance=0.012,
               otherwise="With replacement: all k are at most the i-th of n with a chance of (i / n)^k.")  # fmt: skip
    expect(expected_best(scores[::-1], 1), scores.mean(), "the expected best of 1", tolerance=0.012)
    return "Report the best of 16 and you report luck that grows with every seed you add. The mean stays where it is."


expected_best = Exercise(
    name="expected_best",
    goal="What the best of k seeds scores on average, each drawn from the scores that were seen, with replacement.",
    stub='''
def expected_best(scores, k):
    """Scores, shape (n,), and a count k come in; the mean of the best of k draws goes out.

    expected_best([0.0, 1.0], 2) is 0.75.
    """
    return ...
''',
    hints=(
        "Sort the scores. When is the best of k draws at most the i-th of them?",
        "P(best <= x_i) = (i / n)^k, so the mean is sum x_i ((i / n)^k - ((i - 1) / n)^k) over the sorted scores.",
        "    x = sorted scores, i = 1 ... n\n    weight = (i / n)**k - ((i - 1) / n)**k\n    return sum of x * weight",
    ),
    solution="""
def expected_best(scores, k):
    n = len(scores)
    at_most = (np.arange(n + 1) / n) ** k
    return np.sum(np.sort(np.asarray(scores)) * np.diff(at_most))
""",
    check=check_expected_best,
    also_right=(
        """
def expected_best(scores, k):
    drawn = np.random.default_rng(0).choice(np.asarray(scores), (200_000, k))
    return drawn.max(axis=1).mean()
""",
    ),
    tempting=(
        Tempting("def expected_best(scores, k):\n    return np.max(scores)", "best of all"),
        Tempting("def expected_best(scores, k):\n    return np.mean(scores)", "does not look at k"),
        Tempting(
            "def expected_best(scores, k):\n    n = len(scores)\n"
            "    return np.sum(np.sort(scores) * (np.arange(1, n + 1) / n) ** k)",
            "the one before",
        ),
        Tempting(
            "def expected_best(scores, k):\n    n = len(scores)\n"
            "    return np.sum(np.asarray(scores) * np.diff((np.arange(n + 1) / n) ** k))",
            "Sort the scores",
        ),
    ),
    stretch=True,
)


# ---- the quiz ----

samples_or_runs = Question(
    "samples_or_runs",
    "You train 5 runs of a setting and draw 10,000 samples from each. How many independent observations of the setting "
    "have you?",
    (
        Choice("50,000, one a sample.",
               "All samples of one run come from the same weights: if that run collapsed, all 10,000 did."),
        Choice("5, one a run.", "a seed is what is drawn anew; samples only tell each run's score more exactly.",
               right=True),
        Choice("10,000: the samples of one run.",
               "These describe that one run very well, and say nothing of how another seed would have ended."),
    ),
)  # fmt: skip

inside_noise = Question(
    "inside_noise",
    "Second minus first is 0.04, with a 95 % interval from -0.06 to 0.14. A difference of 0.05 would matter. What do "
    "you write?",
    (
        Choice("The second setting is better by 0.04.",
               "Seeds alone give differences of this size: the interval reaches from worse to clearly better."),
        Choice("There is no difference.",
               "The interval holds 0.14 as well as 0. Not to have found it is not to have shown that it isn't there."),
        Choice("Undecided: from 0.06 worse to 0.14 better, with these seeds.",
               "say what is excluded, and how many seeds it would take.", right=True),
    ),
)  # fmt: skip

picked_after = Question(
    "picked_after",
    "Of five measures one shows a clear difference after the runs. You had not thought of it before. What now?",
    (
        Choice("Report it: it is clear.",
               "With five measures and no effect at all, one of them looks clear far more often than once in twenty."),
        Choice("Call it a hypothesis, and test it with fresh seeds.",
               "the seeds that suggested it can't be its test as well.", right=True),
        Choice("Drop it: it was not planned.",
               "Unplanned findings are where new questions come from. They need a test, not silence."),
    ),
)  # fmt: skip

best_seed = Question(
    "best_seed",
    "Setting A ran from 4 seeds, setting B from 16. The best run of B beats the best run of A. Is B better?",
    (
        Choice("Yes: its best is what one would use.",
               "Then the comparison is between 4 attempts and 16: more draws, a higher best, with equal settings too."),
        Choice("Not known: the best of more seeds is higher even when the settings are equal.",
               "compare means with intervals, with as many seeds each.", right=True),
        Choice("No: more seeds make the average worse.",
               "More seeds don't move the true average either way; they only tell it more exactly."),
    ),
)  # fmt: skip

perfect_beside = Question(
    "perfect_beside",
    "A dial brings the high-quality share from 0.955 to 0.985; a perfect generator scores 0.989. Why print that too?",
    (
        Choice("So that readers see that 1.0 was the aim.",
               "1.0 is no aim: samples of the target itself score 0.989, and a generator with 1.0 is too narrow."),
        Choice("To say that there was hardly more to win: of 0.034 that were missing, 0.030 are made up.",
               "a score means something only between what is bad and what is perfect.", right=True),
        Choice("It makes no difference for a comparison of two settings.",
               "It tells whether a difference of 0.03 is most of what is possible or next to nothing."),
    ),
)  # fmt: skip

LESSON = Source(
    name="15_open_lab",
    given=GIVEN,
    exercises=(fair_plan, seeds_needed, standard_error, difference_interval, read_interval, write_up, expected_best),
    quiz=(samples_or_runs, inside_noise, picked_after, best_seed, perfect_beside),
)
