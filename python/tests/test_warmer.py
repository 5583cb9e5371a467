"""The warmer: forks, fixtures, batches, and what it says on its channel."""

import os
import unittest

import driver
from project import ALONE, ProjectTest

QUIET = ["-p", "no:cacheprovider"]


class WarmerTest(ProjectTest):
    """With one warmer."""

    def warmer(self, root, *args):
        """Ends with the test."""
        warmer = driver.Warmer(QUIET + list(args), root, driver.settings(), env=ALONE)
        self.addCleanup(warmer.close)
        return warmer

    def payload(self, root, name, *ids, **more):
        """A job of a file."""
        tests = [{"id": "%s.py::%s" % (name, id), "n": 0} for id in ids]
        return dict({"file": os.path.join(root, name.replace("__", "/") + ".py"), "tests": tests}, **more)

    def outcomes(self, job, count):
        """Of all positions."""
        return [driver.outcome(job.of(position), job.ended[-1][1]) for position in range(count)]


class Jobs(WarmerTest):
    """From a packet to `done`."""

    def test_each_in_its_own_process(self):
        root = self.project(test_a="""
            L = []
            def test_a(): L.append(1); assert L == [1]
            def test_b(): L.append(1); assert L == [1]
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b"))
        self.assertEqual(self.outcomes(job, 2), ["pass", "pass"])
        self.assertEqual(len({end[0] for end in job.ended}), 2)
        self.assertEqual(warmer.finish()[0], 0)

    def test_batch_is_one_process(self):
        root = self.project(test_a="""
            L = []
            def test_a(): L.append(1); assert L == [1]
            def test_b(): L.append(1); assert L == [1]
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b", batch=True))
        self.assertEqual(self.outcomes(job, 2), ["pass", "fail"])
        self.assertEqual(len(job.ended), 1)
        warmer.finish()

    def test_death_within_a_batch(self):
        root = self.project(test_a="import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): pass")
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b", "test_c", batch=True))
        self.assertEqual(self.outcomes(job, 3), ["pass", "crash", "crash"])
        self.assertEqual([bool(job.of(position)) for position in range(3)], [True, True, False])
        warmer.finish()

    def test_after_a_failure_the_next_is_told_faster(self):
        root = self.project(test_a="""
            import inspect
            def known(): return len(inspect.modulesbyfile)
            BEFORE = known()
            def test_a(): assert 0
            def test_b(): assert known() > BEFORE + 50
            def test_c(): assert known() == BEFORE
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_c", "test_a", "test_b"))
        self.assertEqual([driver.outcome(job.of(n), 0) for n in range(3)], ["pass", "fail", "pass"])
        warmer.finish()

    def test_missing_and_broken(self):
        root = self.project(test_a="def test_a(): pass", test_b="import no_such_module", test_c="def test_c(): pass")
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_gone"))
        self.assertIn("missing", job.lines[0])
        job = warmer.job(self.payload(root, "test_b", "test_b"))
        self.assertIn("no_such_module", job.lines[0]["broken"])
        job = warmer.job(self.payload(root, "test_no_file", "test_b"))
        self.assertIn("broken", job.lines[0])
        job = warmer.job(self.payload(root, "test_c", "test_c"))
        self.assertEqual(self.outcomes(job, 1), ["pass"])
        self.assertEqual(warmer.finish()[0], 0)

    def test_ids_that_change(self):
        root = self.project(test_a="""
            import pytest, os
            @pytest.mark.parametrize("x", [str(os.getpid()), "same", "-%d" % os.getpid()])
            def test_a(x): assert x.startswith("-")
        """)
        lister = driver.Lister(QUIET, root, driver.settings(), env=ALONE)
        lister.finish()
        ids = [test["id"] for test in lister.tests]
        warmer = self.warmer(root)
        found = []
        for test in lister.tests:
            job = warmer.job({"file": test["file"], "tests": [{"id": test["id"], "n": 0}], "of": {ids[0].partition("[")[0]: ids}})
            found += self.outcomes(job, 1)
        self.assertEqual(found, ["fail", "fail", "pass"])
        warmer.finish()

    def test_some_are_left_out(self):
        hook = "def pytest_collection_modifyitems(items): items[:] = items[1::2]"
        test = "def test_%s(): pass\ndef test_%s(): pass\ndef test_%s(): pass"
        root = self.project(conftest=hook, test_a=test % tuple("abc"), test_b=test % tuple("def"))
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_b": "pass", "test_d": "pass", "test_f": "pass"})

    def test_some_are_others(self):
        hook = """
            import pytest
            def strict(function):
                def test(): assert 0
                return test
            def pytest_collection_modifyitems(items):
                items[:] = [pytest.Function.from_parent(item.parent, name=item.name, callobj=strict(item.obj)) for item in items]
        """
        root = self.project(conftest=hook, test_a="def test_a(): pass")
        self.assertEqual(self.names(driver.play(QUIET, root, env=ALONE).outcomes), {"test_a": "fail"})
        root = self.project(conftest="def pytest_collection_modifyitems(items): items[:] = items * 3", test_a="def test_a(): pass")
        self.assertEqual(list(driver.play(QUIET, root, env=ALONE).outcomes.values()), ["pass"] * 3)

    def test_outside_of_the_root_directory(self):
        root = self.project(root__conftest="", pkg__t__test_a="def test_a(): pass\ndef test_b(): assert 0")
        done = driver.play(QUIET + ["--rootdir=root", "pkg/t"], root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "fail"})
        self.assertEqual({"test_a.py::test_a", "test_a.py::test_b"}, {id for id, _ in done.outcomes})

    def test_odd_path(self):
        root = self.project(**{"a[1]__b::c__test_a": "def test_a(): pass", "a[1]__test_b": "def test_b(): pass"})
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "pass"})

    def test_conftest_of_each_directory(self):
        fixture = "import pytest\n@pytest.fixture(scope='%s')\ndef where(): return '%s'"
        root = self.project(conftest=fixture % ("session", "top"), test_a="def test_a(where): assert where == 'top'",
                            one__conftest=fixture % ("module", "one"), one__test_b="def test_b(where): assert where == 'one'",
                            two__conftest=fixture % ("function", "two"), two__test_c="def test_c(where): assert where == 'two'",
                            one__test_d="def test_d(where): assert where == 'one'")
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), dict.fromkeys(["test_a", "test_b", "test_c", "test_d"], "pass"))

    def test_directory_of_work(self):
        root = self.project(test_a="import os\nos.chdir('/')\ndef test_a(): assert os.getcwd() == '/'")
        warmer = self.warmer(root)
        self.assertEqual(self.outcomes(warmer.job(self.payload(root, "test_a", "test_a")), 1), ["pass"])
        warmer.finish()

    def test_descriptors_of_a_test(self):
        root = self.project(test_a="""
            import os
            def test_a(): assert not {3, 4, 5, 6, 7, 8, 9} & {
                int(fd) for fd in os.listdir("/proc/self/fd") if "socket" in os.path.realpath("/proc/self/fd/" + fd)}
            def test_b(): os.system("ls -l /proc/self/fd | grep -E 'pipe|socket' | grep -v ' [12] ->' 1>&2; true")
        """)
        warmer = self.warmer(root, "-s")
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b"))
        self.assertEqual(self.outcomes(job, 2), ["pass", "pass"])
        self.assertEqual(job.err, "")
        warmer.finish()

    def test_output_without_capture(self):
        root = self.project(test_a="def test_a(): print('ahoy')")
        warmer = self.warmer(root, "-s")
        self.assertIn("ahoy", warmer.job(self.payload(root, "test_a", "test_a")).out)
        warmer.finish()

    def test_much_is_reported(self):
        root = self.project(test_a="def test_a():\n    print('x' * 1000000)\n    assert 0")
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a"))
        self.assertEqual(self.outcomes(job, 1), ["fail"])
        self.assertIn("x" * 1000000, str(job.lines))
        warmer.finish()

    def test_dead_warmer(self):
        root = self.project(test_a="import os, pytest\n@pytest.fixture(scope='module')\ndef m(): os._exit(9)\ndef test_a(m): pass")
        warmer = self.warmer(root)
        self.assertIsNone(warmer.job(self.payload(root, "test_a", "test_a")))
        self.assertEqual(warmer.status, 9)


class Fixtures(WarmerTest):
    """What is set up in the warmer."""

    COUNTING = """
        import pytest, os
        def say(word):
            with open(os.path.join(os.path.dirname(__file__), "said"), "a") as file:
                file.write(word + " ")
        @pytest.fixture(scope="module")
        def wide():
            say("up")
            print("built")
            yield os.getpid()
            say("down")
        def test_a(wide): assert wide != os.getpid()
        def test_b(wide): assert wide != os.getpid(); assert 0
        def test_c(wide): os._exit(1)
        def test_d(): pass
    """

    def said(self, root):
        """What fixtures have said."""
        with open(os.path.join(root, "said")) as file:
            return file.read().split()

    def test_once(self):
        root = self.project(test_a=self.COUNTING, test_b="def test_a(): pass")
        warmer = self.warmer(root)
        names = ["test_a", "test_b", "test_c", "test_d"]
        job = warmer.job(self.payload(root, "test_a", *names))
        self.assertEqual([driver.outcome(job.of(n), job.ended[n][1]) for n in range(3)], ["pass", "fail", "crash"])
        # A death ends the job: what follows is sent again.
        self.assertEqual((len(job.ended), job.of(3)), (3, []))
        job = warmer.job(self.payload(root, "test_a", "test_d"))
        self.assertEqual(driver.outcome(job.of(0), job.ended[0][1]), "pass")
        self.assertEqual(self.said(root), ["up"])
        warmer.job(self.payload(root, "test_b", "test_a"))
        self.assertEqual(self.said(root), ["up", "down"])
        self.assertEqual(warmer.finish()[0], 0)
        self.assertEqual(self.said(root), ["up", "down"])

    def test_output_of_set_up_belongs_to_the_first(self):
        root = self.project(test_a=self.COUNTING)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b"))
        self.assertIn("built", str([line for line in job.of(0) if "report" in line]))
        self.assertNotIn("built\\n", str([line["report"]["sections"] for line in job.of(1) if "report" in line]))
        warmer.finish()

    def test_last_job_tears_down(self):
        root = self.project(test_a=self.COUNTING)
        warmer = self.warmer(root)
        warmer.job(self.payload(root, "test_a", "test_a", last=True))
        self.assertEqual(self.said(root), ["up", "down"])
        warmer.finish()
        self.assertEqual(self.said(root), ["up", "down"])

    def test_error_at_the_end(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="module")
            def rotten():
                yield
                raise OSError("sank")
            def test_a(rotten): pass
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", last=True))
        late = [line for line in job.lines if "late" in line]
        self.assertEqual([line["late"]["id"] for line in late], ["test_a.py::test_a"])
        self.assertEqual(late[0]["report"]["outcome"], "failed")
        warmer.finish()
        warmer = self.warmer(root)
        warmer.job(self.payload(root, "test_a", "test_a"))
        self.assertEqual(len([line for line in warmer.finish()[1] if "late" in line]), 1)

    def test_keeps(self):
        root = self.project(test_a=self.COUNTING)
        warmer = self.warmer(root)
        warmer.job(self.payload(root, "test_a", "test_d"))
        self.assertEqual(warmer.keeps, 1)
        warmer.job(self.payload(root, "test_a", "test_a"))
        self.assertEqual(warmer.keeps, 2)
        warmer.job(self.payload(root, "test_a", "test_b"))
        self.assertEqual(warmer.keeps, 2)
        warmer.finish()

    def test_unsafe_is_said(self):
        root = self.project(test_a="""
            import pytest, socket
            @pytest.fixture(scope="module")
            def line():
                one = socket.socket()
                yield one
                one.close()
            def test_a(line): assert line.fileno() > 0
            def test_b(line): assert line.fileno() > 0
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b"))
        self.assertEqual(self.outcomes(job, 2), ["pass", "pass"])
        said = [line["unsafe"] for line in job.lines if "unsafe" in line]
        self.assertEqual(said, [{"fixture": "line", "left": "a socket or pipe"}])
        warmer.finish()

    def test_order_of_classes(self):
        root = self.project(test_a="""
            import pytest, os
            def say(word):
                with open(os.path.join(os.path.dirname(__file__), "said"), "a") as file:
                    file.write(word + " ")
            class TestA:
                @classmethod
                def setup_class(cls): say("A")
                @classmethod
                def teardown_class(cls): say("a")
                def test_one(self): pass
                def test_two(self): pass
            class TestB:
                @classmethod
                def setup_class(cls): say("B")
                @classmethod
                def teardown_class(cls): say("b")
                def test_one(self): pass
        """)
        driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.said(root), ["A", "a", "B", "b"])

    def test_inherited_is_not_torn_down_by_a_test(self):
        root = self.project(test_a="""
            import pytest, os, gc
            HOME = os.getpid()
            @pytest.fixture(scope="module", params=[1, 2])
            def wide(request):
                try:
                    yield request.param
                finally:
                    with open(os.path.join(os.path.dirname(__file__), "said"), "a") as file:
                        file.write("%d-%s " % (request.param, os.getpid() == HOME))
            def test_a(wide): gc.collect()
            def test_b(wide): pass
        """)
        driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.said(root), ["1-True", "2-True"])

    def test_skipped_sets_nothing_up(self):
        root = self.project(test_a=self.COUNTING + """
        @pytest.mark.skip
        def test_e(wide): pass
        """)
        warmer = self.warmer(root)
        self.assertEqual(self.outcomes(warmer.job(self.payload(root, "test_a", "test_e")), 1), ["skip"])
        self.assertFalse(os.path.exists(os.path.join(root, "said")))
        warmer.finish()


if __name__ == "__main__":
    unittest.main()
