"""Plays engine and zygote for the helper's part for unittest: `driver`, with jobs as the planner makes them."""

import driver

RULE = "python -m unittest"


class Lister(driver.Lister):
    """unittest's."""

    role = "unittest_lister"


class Warmer(driver.Warmer):
    """unittest's."""

    role = "unittest_warmer"


class Run(object):
    """A whole run, by one warmer that is started again when it dies."""

    def __init__(self, args, cwd, env=None):
        self.start = (args, cwd, driver.settings()), {"rule": RULE, "env": env}
        self.lister = Lister(*self.start[0], **self.start[1])
        self.outcomes, self.jobs, self.lines = {}, [], {}
        self.warmer = None
        for job in jobs_of(self.lister.tests) if self.lister.listed["exit"] is None else ():
            self.job(job)
            if self.lister.stop_asked():
                break
        if self.warmer is not None:
            self.status, _ = self.warmer.finish()
        if self.lister.listed["exit"] is None:
            self.finished = self.lister.finish()
        else:
            while self.lister.finished is None:
                self.lister.take()
            self.lister.end()
            self.lister.close()
            self.finished = self.lister.finished

    def job(self, tests):
        """One job, and its reports to the lister."""
        if self.warmer is None:
            self.warmer = Warmer(*self.start[0], slot=0, **self.start[1])
        names = [{"id": test["id"], "n": test["n"]} for test in tests]
        fresh = tests[0]["job"] == "file"
        batch = fresh or "unit" in tests[0]
        done = self.warmer.job({"file": tests[0]["file"], "tests": names, "batch": batch, "fresh": fresh})
        if done is None:
            self.warmer.close()
            self.warmer = None
        self.jobs.append(done)
        for place, name in enumerate(names):
            lines = done.of(place) if done is not None else []
            status = done.ended[-1][1] if done is not None and done.ended else 0
            key = (name["id"], name["n"])
            self.lines[key] = lines
            self.outcomes[key] = driver.outcome(lines, status)
            if self.outcomes[key] == "crash":
                self.lister.tell({"lost": dict(name, text="crash", duration=0.0)})
            else:
                self.lister.tell({"reports": [dict(name, lines=lines)]})

    def reports(self, id):
        """The reports of a test."""
        return [line["report"] for line in self.lines[(id, 0)] if "report" in line]


def jobs_of(tests):
    """Jobs in listed order: a test, a unit, or all of an unsafe origin."""
    jobs = []
    for test in tests:
        last = jobs[-1][0] if jobs else {}
        same = last.get("file") == test["file"] and last.get("job") == test["job"]
        if same and (test["job"] == "file" or test.get("unit") and test["unit"] == last.get("unit")):
            jobs[-1].append(test)
        else:
            jobs.append([test])
    return jobs


def dotted(id):
    """The id that unittest itself knows, for one on the wire."""
    group, _, name = id.partition(" (again")[0].partition("::")
    return name if name.startswith(("tests.", "<")) else group + "." + name
