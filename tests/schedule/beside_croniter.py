"""Ten thousand random cron expressions, zones and starts: Echo's next times beside croniter's.

Both answer the same questions. Where they differ, `why` has to know the rule, or the run fails.
Expressions are of what both mean the same by; docs/schedule.md says what was left out, and why.
"""

import argparse
import collections
import datetime
import json
import random
import subprocess
import sys
import zoneinfo

from croniter import croniter

# The rules of zones that came with the package `tzdata`, not those of this machine, which may be years old.
zoneinfo.reset_tzpath([])
UTC = datetime.timezone.utc
COUNT = 5
ZONES = [
    "UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "America/Santiago", "America/St_Johns",
    "Asia/Kathmandu", "Asia/Tokyo", "Australia/Lord_Howe", "Australia/Sydney", "Africa/Casablanca", "Pacific/Apia",
    "Pacific/Chatham", "Pacific/Kiritimati",
]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()


def field(draw, low, high, stars=4, names=None):
    """One field: a star, a number, a name, a list, a range or a step."""
    kind = draw.choices(["star", "one", "name", "list", "range", "step", "range_step"], [stars, 4, 1, 2, 2, 2, 1])[0]
    first, last = sorted((draw.randint(low, high), draw.randint(low, high)))
    if kind == "name" and names:
        return names[draw.randint(low, high) - low]
    if kind == "list":
        return ",".join(str(n) for n in sorted(draw.sample(range(low, high + 1), draw.randint(2, 4))))
    if kind == "range" and first < last:
        return f"{first}-{last}"
    if kind == "step":
        return f"*/{draw.randint(2, max(2, (high - low) // 2))}"
    if kind == "range_step" and last - first >= 2:
        return f"{first}-{last}/{draw.randint(1, last - first)}"
    return "*" if kind == "star" else str(first)


def day_of_month(draw):
    """The last day is written `L` by both."""
    return "L" if draw.random() < 0.05 else field(draw, 1, 31, stars=8)


def question(draw):
    five = [
        field(draw, 0, 59), field(draw, 0, 23), day_of_month(draw), field(draw, 1, 12, stars=8, names=MONTHS),
        field(draw, 0, 6, stars=8, names=DAYS),
    ]
    seconds = field(draw, 0, 59) if draw.random() < 0.3 else None
    start = datetime.datetime.fromtimestamp(draw.randint(1_700_000_000, 2_200_000_000), UTC)
    zone = draw.choice(ZONES)
    if draw.random() < 0.3:
        start = near_a_change(draw, zone, start)
    return {"fields": five, "seconds": seconds, "zone": zone, "after": start}


def near_a_change(draw, zone, start):
    """A start in the two days before clocks are changed, where there is such a day within a year."""
    named = zoneinfo.ZoneInfo(zone)
    day = start.replace(minute=0, second=0)
    for _ in range(366):
        later = day + datetime.timedelta(days=1)
        if day.astimezone(named).utcoffset() != later.astimezone(named).utcoffset():
            return day - datetime.timedelta(seconds=draw.randint(0, 24 * 3600))
        day = later
    return start


def ours(cli, questions):
    """All answers from one process."""
    lines = "".join(
        json.dumps({
            "cron": " ".join(([q["seconds"]] if q["seconds"] else []) + q["fields"]),
            "zone": q["zone"],
            "after": q["after"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            "count": COUNT,
        }) + "\n"
        for q in questions
    )
    done = subprocess.run(cli, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def theirs(q):
    """croniter has seconds last, and gives nothing where it finds none within its horizon."""
    text = " ".join(q["fields"] + ([q["seconds"]] if q["seconds"] else []))
    start = q["after"].astimezone(zoneinfo.ZoneInfo(q["zone"]))
    times = []
    try:
        walk = croniter(text, start, day_or=True, max_years_between_matches=50)
        while len(times) < COUNT:
            times.append(walk.get_next(datetime.datetime).astimezone(UTC))
    except Exception as error:  # pylint: disable=broad-except
        return times, type(error).__name__
    return times, None


def offsets(zone, first, last):
    named = zoneinfo.ZoneInfo(zone)
    return {(first + datetime.timedelta(hours=h)).astimezone(named).utcoffset()
            for h in range(int((last - first).total_seconds() // 3600) + 2)}


def near_change(q, at):
    """Whether clocks are changed within a day and a bit of `at`."""
    span = datetime.timedelta(hours=27)
    return len(offsets(q["zone"], at - span, at + span)) > 1


def why(q, answer, mine, his, error):
    """The rule by which the two differ; nothing when there is none.

    A range over the whole week or month, such as `0-6`, restricts the day where Echo reads it, as POSIX has it: only a star
    does not. croniter takes it for a star, and then both day fields have to match.

    A time that the clock shows twice, or never: Echo's rules are in docs/schedule.md. croniter runs a named hour in both.
    """
    if error is not None and mine[: len(his)] == his and not mine[len(his):]:
        return "neither finds more"
    days = (q["fields"][2], q["fields"][4])
    if "*" not in days and (days[0] in ("1-31", "1-31/1") or days[1] in ("0-6", "0-6/1")):
        return "a range over all days is not a star"
    first = next((i for i, pair in enumerate(zip(mine, his)) if pair[0] != pair[1]), None)
    if first is None:
        return None
    if near_change(q, mine[first]) or near_change(q, his[first]):
        return "clocks are changed: " + ("every hour" if answer["every_hour"] else "named hours")
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", required=True, help="the command that answers questions")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print so many differences of each rule")
    said = parser.parse_args()
    draw = random.Random(said.seed)
    questions = [question(draw) for _ in range(said.count)]
    answers = ours(said.cli.split(), questions)
    assert len(answers) == len(questions), "an answer for each question"
    rules, failures, same = collections.Counter(), [], 0
    for q, answer in zip(questions, answers):
        his, error = theirs(q)
        if "refused" in answer:
            failures.append((q, answer, his, error))
            continue
        mine = [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in answer["times"]]
        if mine == his:
            same += 1
            continue
        rule = why(q, answer, mine, his, error)
        if rule is None:
            failures.append((q, answer, his, error))
            continue
        rules[rule] += 1
        if rules[rule] <= said.show:
            print(rule, q, [str(t) for t in mine], [str(t) for t in his], sep="\n  ")
    print(f"{same} of {len(questions)} expressions have the same next {COUNT} times")
    for rule, count in sorted(rules.items()):
        print(f"{count} differ: {rule}")
    for q, answer, his, error in failures[:10]:
        print("UNEXPLAINED", q, answer, [str(t) for t in his], error, sep="\n  ", file=sys.stderr)
    print(f"{len(questions) - len(failures)} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
