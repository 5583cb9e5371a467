"""Jobs of several whole classes: one process sets one up after the other."""

import os
import unittest

from test_checks import OwnTemporary

LOG = """
    import os, pytest, unittest
    def note(text):
        with open(%r, "a") as log: log.write(text + "\\n")
    class Noted:
        @classmethod
        def setup_class(cls): note("up " + cls.__name__)
        @classmethod
        def teardown_class(cls): note("down " + cls.__name__)
"""


class ClassTest(OwnTemporary):
    """A job of tests of several classes."""

    def play(self, text, *names, **more):
        """Outcomes, what fixtures have noted, processes of tests, and the job."""
        root = self.project(test_a="")
        path = os.path.join(str(root), "log")
        open(path, "w").close()
        with open(os.path.join(str(root), "test_a.py"), "w") as file:
            lines = (LOG % path + text).splitlines()
            file.write("\n".join(line[4:] for line in lines))
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", *names, batch=True, check=True, **more))
        status, late = warmer.finish()[:2]
        self.assertEqual(status, 0)
        with open(path) as file:
            noted = file.read().split("\n")[:-1]
        return self.outcomes(job, len(names)), noted, len({end[0] for end in job.ended}), job


class Classes(ClassTest):
    """What is set up, how often, and in how many processes."""

    def test_one_after_the_other(self):
        outcomes, noted, processes, job = self.play("""
    @pytest.fixture(scope="module", autouse=True)
    def sea():
        import time
        time.sleep(0.2)
    class TestA(Noted):
        def test_0(self): self.one = 1
        def test_1(self): note("test")
    class TestB(Noted):
        @classmethod
        def setup_class(cls):
            cls.box = []
            print("printed")
            import time
            time.sleep(0.2)
            super().setup_class()
        def test_2(self): self.box.append(1)
        def test_3(self): assert self.box == [1], "it is the same"
    class TestC(unittest.TestCase, Noted):
        setUpClass, tearDownClass = Noted.setup_class, Noted.teardown_class
        def test_4(self): pass
    def test_5(): pass
        """, "TestA::test_0", "TestA::test_1", "TestB::test_2", "TestB::test_3", "TestC::test_4", "test_5")
        self.assertEqual(outcomes, ["pass"] * 6, job.lines)
        self.assertEqual(processes, 1)
        expected = ["up TestA", "test", "down TestA", "up TestB", "down TestB", "up TestC", "down TestC"]
        self.assertEqual([line for line in noted if "Noted" not in line], expected)
        first = [line["report"] for line in job.of(0) if line.get("report", {}).get("when") == "setup"]
        self.assertGreater(first[0]["seatrial_set_up"], 0.19)
        set_up = [line["report"] for line in job.of(2) if line.get("report", {}).get("when") == "setup"]
        self.assertGreater(set_up[0]["duration"], 0.19)
        self.assertGreater(set_up[0]["seatrial_set_up"], 0.19)
        self.assertIn(["Captured stdout setup", "printed\n"], set_up[0]["sections"])

    def test_set_up_that_leaves_something_is_the_warmers(self):
        outcomes, noted, processes, job = self.play("""
    class TestA(Noted):
        def test_0(self): pass
    class TestB(Noted):
        @classmethod
        def setup_class(cls):
            os.environ["SEA"] = "rough"
            super().setup_class()
        @classmethod
        def teardown_class(cls):
            del os.environ["SEA"]
            super().teardown_class()
        def test_1(self): assert os.environ["SEA"]
        def test_2(self): os.environ["SEA"] = "calm"
        def test_3(self): assert os.environ["SEA"] == "rough"
    class TestC(Noted):
        def test_4(self): assert "SEA" not in os.environ
        """, "TestA::test_0", "TestB::test_1", "TestB::test_2", "TestB::test_3", "TestC::test_4")
        self.assertEqual(outcomes, ["pass"] * 5, job.lines)
        # A's process refuses B. Then there are one that ends with `test_2`, one for `test_3`, and one for C.
        self.assertEqual(processes, 4)
        self.assertEqual(noted, [
            "up TestA", "down TestA", "up TestB", "down TestB", "up TestB", "down TestB", "up TestC", "down TestC",
        ])

    def test_process_that_ends_within_a_class(self):
        outcomes, noted, processes, job = self.play("""
    class TestA(Noted):
        def test_0(self): os.environ["SEA"] = "rough"
        def test_1(self): assert "SEA" not in os.environ; os.environ["SEA"] = "rough"
        def test_2(self): assert "SEA" not in os.environ
    class TestB(Noted):
        def test_3(self): pass
        def test_4(self): os._exit(0)
        """, "TestA::test_0", "TestA::test_1", "TestA::test_2", "TestB::test_3", "TestB::test_4")
        self.assertEqual(outcomes, ["pass", "pass", "pass", "pass", "crash"], job.lines)
        # Once by the first process, and once for all others.
        self.assertEqual(noted, ["up TestA", "down TestA", "up TestA", "down TestA", "up TestB"])
        self.assertEqual(processes, 4)

    def test_set_up_that_fails_or_is_not_wanted(self):
        outcomes, noted, _, job = self.play("""
    class TestA(Noted):
        @pytest.mark.skip
        def test_0(self): pass
    class TestB(Noted):
        @pytest.mark.skip
        def test_1(self): pass
        def test_2(self): pass
    class TestC(unittest.TestCase):
        @classmethod
        def setUpClass(cls): raise unittest.SkipTest("not here")
        def test_3(self): pass
    class TestD(unittest.TestCase):
        @classmethod
        def setUpClass(cls): note("once"); 1 / 0
        def test_4(self): pass
        def test_5(self): pass
        """, "TestA::test_0", "TestB::test_1", "TestB::test_2", "TestC::test_3", "TestD::test_4", "TestD::test_5")
        self.assertEqual(outcomes[:4], ["skip", "skip", "pass", "skip"], job.lines)
        self.assertEqual(set(outcomes[4:]), {"error"}, job.lines)
        self.assertEqual(noted[:2], ["up TestB", "down TestB"])

    def test_teardown_that_leaves_something(self):
        outcomes, _, processes, job = self.play("""
    class TestA(Noted):
        @classmethod
        def teardown_class(cls): os.environ["SEA"] = "rough"
        def test_0(self): pass
    class TestB(Noted):
        def test_1(self): assert "SEA" not in os.environ
        """, "TestA::test_0", "TestB::test_1")
        self.assertEqual((outcomes, processes), (["pass", "pass"], 2), job.lines)

    def test_set_up_that_ends_the_process(self):
        for names in (["TestA::test_0", "TestB::test_1"], ["TestB::test_1", "TestA::test_0"]):
            outcomes, _, _, job = self.play("""
    class TestA(Noted):
        def test_0(self): pass
    class TestB(Noted):
        @classmethod
        def setup_class(cls): os._exit(3)
        def test_1(self): pass
            """, *names)
            died = names.index("TestB::test_1")
            self.assertEqual(outcomes[died], "crash", job.lines)
            # The engine charges the end to who has begun and not ended.
            begun = [any("start" in line for line in job.of(place)) for place in (0, 1)]
            ended = [any("end" in line for line in job.of(place)) for place in (0, 1)]
            self.assertEqual((begun[died], ended[died]), (True, False), job.lines)
            self.assertEqual(begun[1 - died], ended[1 - died], job.lines)

    def test_wider_fixtures_are_the_warmers(self):
        outcomes, noted, processes, job = self.play("""
    @pytest.fixture(scope="module")
    def sea():
        import time
        time.sleep(0.2)
        note("up sea")
        yield
        note("down sea")
    @pytest.fixture(scope="module")
    def ship():
        note("up ship")
        yield
        note("down ship")
    @pytest.fixture(scope="class")
    def boat(request): request.getfixturevalue("ship")
    @pytest.mark.skip
    class TestA(Noted):
        def test_0(self, sea): pass
    class TestB(Noted):
        def test_1(self, sea): os.environ["SEA"] = "rough"
    class TestC(Noted):
        def test_2(self, sea, boat): os.environ["SEA"] = "rough"
    class TestD(Noted):
        def test_3(self, sea, boat): pass
        """, "TestA::test_0", "TestB::test_1", "TestC::test_2", "TestD::test_3")
        self.assertEqual(outcomes, ["skip", "pass", "pass", "pass"], job.lines)
        # The process that finds out that the ship is asked for has set it up too.
        for name, times in (("up sea", 1), ("down sea", 1), ("up ship", 2), ("down ship", 2)):
            self.assertEqual(noted.count(name), times, noted)
        self.assertEqual(noted[-2:], ["down ship", "down sea"])
        took = [line["report"]["duration"] for line in job.of(1) if line.get("report", {}).get("when") == "setup"]
        self.assertGreater(took[0] + sum(line["report"]["duration"] for line in job.of(0) if "report" in line), 0.19)

    def test_set_up_that_leaves_a_thread(self):
        outcomes, noted, _, job = self.play("""
    class Threaded(Noted):
        @classmethod
        def setup_class(cls):
            import threading
            super().setup_class()
            cls.end = threading.Event()
            cls.thread = threading.Thread(target=cls.end.wait)
            cls.thread.start()
        @classmethod
        def teardown_class(cls):
            cls.end.set()
            cls.thread.join()
            super().teardown_class()
    class TestA(Threaded):
        def test_0(self): assert self.thread.is_alive()
    class TestB(Threaded):
        def test_1(self): assert self.thread.is_alive()
        """, "TestA::test_0", "TestB::test_1")
        self.assertEqual(outcomes, ["pass", "pass"], job.lines)
        # Refused, and set up where its test is.
        self.assertEqual(noted, 2 * ["up TestA", "down TestA"] + 2 * ["up TestB", "down TestB"])


class Teardowns(ClassTest):
    """A fixture that no fork inherits, quick to set up."""

    def test_a_slow_one_makes_tests_share(self):
        for seconds, shares in ((0.1, True), (0, False)):
            outcomes, _, _, job = self.play("""
    @pytest.fixture(scope="session")
    def server():
        import threading, time
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        yield
        time.sleep(%s)
        end.set()
        thread.join()
    def test_0(server): pass
    def test_1(server): pass
    def test_2(server): pass
            """ % seconds, "test_0", "test_1", "test_2", last="session")
            self.assertEqual(outcomes, ["pass"] * 3, job.lines)
            shared = [line for line in job.lines if line.get("unsafe", {}).get("shared")]
            self.assertEqual(bool(shared), shares, job.lines)


class Residents(ClassTest):
    """Where tests use much for the first time in each process."""

    def test_class_ends_before_its_module(self):
        outcomes, noted, processes, job = self.play("""
    import time, types
    USED = types.SimpleNamespace(once=False)
    def work():
        end = time.process_time() + (0.1 if USED.once else 0.5)
        USED.once = True
        while time.process_time() < end: pass
    @pytest.fixture(scope="module", autouse=True)
    def sea():
        note("up sea")
        yield
        note("down sea")
        """ + "".join("""
    class Test%d(Noted):
        def test_a(self): work()
        def test_b(self): work()
        """ % n for n in range(8)), *["Test%d::test_%s" % (n, x) for n in range(8) for x in "ab"], last=True)
        self.assertEqual(outcomes, ["pass"] * 16, job.lines)
        self.assertEqual((noted[0], noted[-1]), ("up sea", "down sea"), noted)
        for n in range(8):
            self.assertEqual(noted.count("up Test%d" % n), noted.count("down Test%d" % n), noted)
        # Behind the first ones, nearly all of them share a process.
        self.assertLess(processes, 6, job.ended)


if __name__ == "__main__":
    unittest.main()
