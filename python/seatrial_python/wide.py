"""Fixtures wider than a function: set up here, in the warmer, so that every test's process inherits them.

They are set up when a test asks for them and torn down when the next test no longer stands below their node,
as plain pytest does. A test's process must never tear an inherited one down: `drop_inherited`.

A fixture whose set-up leaves something that a fork cannot inherit (`hazards`) is undone at once, together with
those that depend on it, and from then on set up in each test's process. Those wider than a class are tried while a
`spare` waits, which goes on where they have left something. One that only holds files open for writing is inherited,
and until its end the files that tests write stay (`stays`).
"""

import contextlib
import functools
import itertools
import os
import sys
import time

from seatrial_python import forks, hazards, listing, spare

CURRENT = "PYTEST_CURRENT_TEST"
# Where a set-up is for so few tests that it does not pay to have a spare.
NARROW = ("class", listing.NARROWEST)
# Before tests put something else in its place.
monotonic = time.monotonic


class Stack(object):
    """Pytest's `SetupState`, whose form changed with version 7."""

    def __init__(self, session):
        self.state = session._setupstate
        self.new = isinstance(self.state.stack, dict)

    def nodes(self):
        """The nodes that are set up, widest first."""
        return list(self.state.stack)

    def set_up(self, node):
        """Sets up collectors down to the node."""
        if self.new:
            self.state.setup(node)
        else:
            self.state.prepare(node)

    def tear_down(self, last, following):
        """Tears down what the following item (None: nothing follows) does not stand below."""
        if self.new:
            self.state.teardown_exact(following)
        else:
            self.state.teardown_exact(last, following)

    @contextlib.contextmanager
    def active(self, item):
        """Pytest 9.2 sets fixtures up only for an item that is in the stack."""
        if not self.new:
            yield
            return
        self.state.stack[item] = ([], None)
        try:
            yield
        finally:
            del self.state.stack[item]

    def finalizers(self):
        """All nodes' lists, by node."""
        if self.new:
            return {node: finalizers for node, (finalizers, _) in self.state.stack.items()}
        return dict(self.state._finalizers)

    def drop_finalizers(self):
        """Empties all nodes' lists; returns what was in them, for whoever keeps it alive."""
        found = list(self.finalizers().values())
        dropped = [list(finalizers) for finalizers in found]
        for finalizers in found:
            del finalizers[:]
        return dropped

    def at_end(self, node, function):
        """Calls the function when the node, which is set up, is torn down."""
        if node in self.finalizers():
            self.finalizers()[node].append(function)
        elif not self.new and node in self.nodes():
            self.state._finalizers[node] = [function]


class Wide(object):
    """The plug-in that watches set-ups, and the keeper of what is set up."""

    def __init__(self, session, capture, on_unsafe):
        self.session = session
        self.capture = capture
        self.on_unsafe = on_unsafe
        # Makes a spare.
        self.spare = None
        self.tried = set()
        self.unsafe = set()
        self.to_undo = []
        # What is set up, and the node below which it stands.
        self.ready = []
        self.nodes = {}
        # Those that hold files open for writing.
        self.files = set()
        # Unsafe ones whose set-up takes so long that a process lives on with them (`resident`), and what it leaves, in
        # words; in a test's process, the seconds that their set-ups and teardowns have taken there.
        self.costly = {}
        self.spent = 0.0
        # Seconds that set-ups have taken here for the next test, which pytest would count as that test's.
        self.took = 0.0
        # By item: what its set-up has raised here and pytest does not keep for the test's process.
        self.pending = {}
        # Items for which something was set up.
        self.asked = set()
        self.last = None
        self.in_test = False
        # In a test's process, while it sets up what its class has: the fixtures that this has set up.
        self.entering = None
        self.ran_user_code = False
        self.graveyard = []

    # -- the watch

    def around_setup(self, fixturedef, request):
        """Hook wrapper of `pytest_fixture_setup`."""
        if fixturedef.scope == listing.NARROWEST:
            yield
            return
        begun = monotonic()
        if self.in_test:
            before, took = self.spent, self.took
            if self.entering is not None:
                self.entering.append(fixturedef)
                yield
                self.took = took + monotonic() - begun
                return
            ending = Ending(self)
            fixturedef.addfinalizer(ending.over)
            yield
            # The last that came is called first.
            fixturedef.addfinalizer(ending.begin)
            # Those that it has asked for are in it.
            self.spent = before + monotonic() - begun
            return
        self.ran_user_code = True
        self.ready.append(fixturedef)
        waiting = self.spare() if self.is_new(fixturedef) else None
        if waiting is not None and waiting.found is not None:
            self.note_unsafe(fixturedef, *waiting.found)
        if fixturedef in self.unsafe:
            raise spare.Elsewhere(fixturedef)
        self.nodes[fixturedef] = node_of(request)
        before, process, took = hazards.present(), forks.own_number(), self.took
        yield
        if forks.own_number() != process:
            # One that it has asked for has left something: this is that one's spare.
            return
        left = hazards.present() - before
        # Those that it has asked for are in it. One that has come to no end is set up elsewhere.
        self.took = took + (monotonic() - begun if fixturedef.cached_result is not None else 0.0)
        if left and all(name.startswith("file:") for name in left):
            # A fork has them. They must not become other files than those that it finds by their names.
            if fixturedef not in self.files:
                self.files.add(fixturedef)
                self.on_unsafe(fixturedef, hazards.in_words(left), True)
        elif left and fixturedef not in self.unsafe:
            found = [hazards.in_words(left), monotonic() - begun > forks.COSTLY]
            if waiting is not None:
                finish(fixturedef, request)
                waiting.take_over(found)
            self.note_unsafe(fixturedef, *found)
            self.to_undo.append((fixturedef, request))
            # The test's process does it once more.
            self.took = took
        if waiting is not None:
            waiting.dismiss()

    def is_new(self, definition):
        """Whether this may be the first to show what the set-up leaves. pytest's own leave nothing."""
        if self.spare is None or definition.scope in NARROW or definition in self.tried:
            return False
        self.tried.add(definition)
        return not str(getattr(definition.func, "__module__", "")).startswith("_pytest.")

    def note_unsafe(self, definition, left, long):
        """Its set-up leaves what no fork inherits, and takes long or not."""
        self.unsafe.add(definition)
        if long:
            self.costly[definition] = left
        else:
            self.on_unsafe(definition, left, False)

    # -- before a test

    def prepare(self, item, for_class=True):
        """Sets up what the item needs, wider than a function, or only wider than a class. Its failures are kept by pytest
        for the test. Whether it is set up now."""
        definitions = listing.wide_fixtures(item)
        if not for_class:
            definitions = [definition for definition in definitions if definition.scope != "class"]
        stack = Stack(self.session)
        if not definitions and not self.ready and self.last is None:
            return False
        self.last = item
        if not definitions or skipped(item):
            return False
        if not hasattr(getattr(item, "_request", None), "_get_active_fixturedef"):
            return False
        self.renew(item)
        self.asked.add(item)
        if all(self.is_set_up(definition, item) for definition in definitions):
            return True
        with catching(item), self.acting(item, "setup"):
            try:
                stack.set_up(item.parent if for_class else listing.module_of(item))
            except BaseException:
                # The collector keeps the error and raises it again in the test's process.
                return True
            with stack.active(item):
                self.set_up(item, definitions)
        return True

    def renew(self, item):
        """Lets an item forget what was set up for it in an earlier run, and may have been torn down since."""
        if item in self.asked:
            item._initrequest()

    def stays(self):
        """Whether something that is set up holds files open for writing, which tests are to find as they are."""
        return any(definition in self.files for definition in self.ready)

    def is_set_up(self, definition, item):
        """Whether nothing has to run for it: it is there with the same parameter, or it is not ours to set up."""
        if definition in self.unsafe:
            return True
        cached = definition.cached_result
        if cached is None:
            return False
        spec = getattr(item, "callspec", None)
        return spec is None or definition.argname not in getattr(spec, "params", {})

    def set_up(self, item, definitions):
        """Each fixture in pytest's order."""
        info = item._fixtureinfo
        for definition in definitions:
            if self.depends_on_unsafe(definition.argname, info, set()):
                continue
            try:
                with instance(item):
                    item._request._get_active_fixturedef(definition.argname)
            except BaseException as error:
                if isinstance(error, spare.Elsewhere):
                    self.note_built_on(definition, error.args[0])
                # Pytest has cached an `Exception` of the fixture itself in the definition, and the test's process raises it
                # again. Not so what came of the teardown before it, or of a hook. What is no `Exception` happens there
                # once more. Before version 8 a request is used up by all that.
                if isinstance(error, outcomes()) and (definition.cached_result or (None,) * 3)[2] is None:
                    self.pending.setdefault(item, error)
                item._initrequest()
                self.forget_begun(info)
            finally:
                self.undo(item)

    def note_built_on(self, definition, unsafe):
        """Its set-up has asked for an unsafe one, maybe by `getfixturevalue`, which its arguments do not tell."""
        self.unsafe.add(definition)
        if unsafe in self.costly:
            self.costly.setdefault(definition, self.costly[unsafe])

    def forget_begun(self, info):
        """Fixtures whose set-up has come to no end: newer pytests want nothing to be noted of them when they begin anew. Plug-ins
        may have ended it before it came here."""
        for definition in itertools.chain(self.ready, *info.name2fixturedefs.values()):
            if definition.cached_result is None:
                del definition._finalizers[:]
        self.ready = [definition for definition in self.ready if definition.cached_result is not None]

    def undo(self, item):
        """Finishes unsafe fixtures, and with them what was built on them."""
        if not self.to_undo:
            return
        for definition, request in reversed(self.to_undo):
            finish(definition, request)
        self.to_undo = []
        item._initrequest()

    def depends_on_unsafe(self, name, info, seen):
        """Whether the fixture or one that it asks for is unsafe."""
        seen.add(name)
        for definition in info.name2fixturedefs.get(name) or ():
            if definition in self.unsafe:
                return True
            for wanted in definition.argnames:
                if wanted not in seen and self.depends_on_unsafe(wanted, info, seen):
                    return True
        return False

    # -- fixtures for a resident

    def is_costly(self, item):
        """Whether the item uses one that only a resident should set up."""
        return bool(self.costly) and any(definition in self.costly for definition in listing.wide_fixtures(item))

    def unsafe_of(self, item):
        """Those of the item that no fork inherits."""
        return [one for one in listing.wide_fixtures(item) if self.depends_on_unsafe(one.argname, item._fixtureinfo, set())]

    def note_costly(self, item):
        """In a process of the item's, wide set-ups have taken long: those that can only be made there."""
        for definition in self.unsafe_of(item):
            self.costly.setdefault(definition, "")

    def holds_costly(self):
        """Whether one is set up."""
        return any(definition.cached_result is not None for definition in self.costly)

    # -- between tests

    def leave(self, following):
        """Tears down what does not concern the following item; a failed report of the last test, or None."""
        nodes = Stack(self.session).nodes()
        chain = following.listchain() if following is not None else []
        if self.last is None or nodes == chain[:len(nodes)]:
            return None
        report = self.tear_down(self.last, following)
        before, self.ready = self.ready, [one for one in self.ready if one.cached_result is not None]
        self.ran_user_code |= len(self.ready) != len(before) or report is not None
        return report

    def tear_down(self, last, following):
        """Tears down what does not concern the following item (None: nothing follows): a report if that failed."""
        from _pytest.reports import TestReport
        from _pytest.runner import CallInfo

        stack = Stack(self.session)
        with catching(last), self.acting(last, "teardown"):
            call = CallInfo.from_call(lambda: stack.tear_down(last, following), when="teardown")
        texts = self.capture.read()
        if call.excinfo is None:
            return None
        # Not by the hook: plug-ins expect there an item whose protocol they have seen.
        report = TestReport.from_item_and_call(last, call)
        for name, text in zip(("stdout", "stderr"), texts):
            if text:
                report.sections.append(("Captured %s teardown" % name, text))
        return report

    @contextlib.contextmanager
    def acting(self, item, when):
        """As in the item's protocol: output is captured, `PYTEST_CURRENT_TEST` is there, and pytest-timeout watches."""
        before = os.environ
        before[CURRENT] = ("%s (%s)" % (item.nodeid, when)).replace("\0", "(null)")
        self.capture.resume()
        try:
            with watched(item):
                yield
        finally:
            self.capture.suspend()
            for environment in (before, os.environ):
                # What is set up may have put another in its place.
                environment.pop(CURRENT, None)

    # -- in a test's process

    def drop_inherited(self):
        """From now on nothing inherited is torn down here, whatever the test does. Generators stay referenced:
        one that is collected would run its `finally`."""
        self.in_test = True
        stack = Stack(self.session)
        self.graveyard.append(stack.drop_finalizers())
        for definition in self.ready:
            self.graveyard.append((list(definition._finalizers), definition.cached_result))
            del definition._finalizers[:]
            # Behind its node's last test it is no longer there, for tests that share this process.
            stack.at_end(self.nodes.get(definition), functools.partial(forget, definition))

    def raise_pending(self, item):
        """In the test's process: what its set-up has raised in the warmer."""
        error = self.pending.get(item) if self.in_test else None
        if error is not None:
            raise error

    def over(self, item):
        """The item has run."""
        self.pending.pop(item, None)


class Ending(object):
    """Counts what the teardown of a fixture takes in a test's process, from the first of its finalizers to the last."""

    def __init__(self, wide):
        self.wide = wide
        self.begun = None

    def begin(self):
        """Before the fixture's own."""
        self.begun = monotonic()

    def over(self):
        """Behind them."""
        if self.begun is not None:
            self.wide.spent += monotonic() - self.begun


def finish(definition, request):
    """Tears an unsafe fixture down. If that fails it does so in the tests' processes too, and is reported there."""
    try:
        definition.finish(request)
    except BaseException:
        return


def outcomes():
    """What pytest takes for the end of a set-up, and not of the run."""
    from _pytest.outcomes import OutcomeException

    return (Exception, OutcomeException)


def forget(definition):
    """Stands for the teardown of an inherited fixture."""
    definition.cached_result = None


def node_of(request):
    """The node below which the fixture stands."""
    try:
        return request.node
    except Exception:
        return request.session


@contextlib.contextmanager
def watched(item):
    """Pytest-timeout's timer, which it starts around the item's whole protocol."""
    timeout = sys.modules.get("pytest_timeout")
    settings = getattr(timeout, "_get_item_settings", None)
    if settings is None or not item.config.pluginmanager.hasplugin("timeout"):
        yield
        return
    settings = settings(item)
    hook = item.config.pluginmanager.hook
    runs = settings.timeout is not None and settings.timeout > 0 and not settings.func_only
    if runs:
        hook.pytest_timeout_set_timer(item=item, settings=settings)
    try:
        yield
    finally:
        if runs:
            hook.pytest_timeout_cancel_timer(item=item)


def skipped(item):
    """Whether its marks keep it from running: then plain pytest sets nothing up for it."""
    from _pytest import skipping

    try:
        if skipping.evaluate_skip_marks(item) is not None:
            return True
        expected = skipping.evaluate_xfail_marks(item)
    except BaseException:
        # A condition that cannot be evaluated fails the test before its set-up.
        return True
    return expected is not None and not expected.run and not item.config.option.runxfail


@contextlib.contextmanager
def instance(item):
    """Before version 8.2, `setUpClass` is a fixture bound to the test's instance, which only its set-up makes."""
    if getattr(type(item), "_testcase", item) is not None or getattr(item, "_testcase", None) is not None:
        yield
        return
    item._testcase = item.parent.obj(item.name)
    try:
        yield
    finally:
        item._testcase = None


def catching(item):
    """Pytest's catching of warnings, with the item's filters."""
    from _pytest.warnings import catch_warnings_for_item

    return catch_warnings_for_item(config=item.config, ihook=item.ihook, when="runtest", item=item)
