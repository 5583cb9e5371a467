-- Which files tests opened and which modules they imported (`--record-files`).

-- Paths and modules' names are kept once.
create table name (
    id integer primary key,
    text text not null unique
) strict;

-- What one process did for some tests.
create table facts (
    id integer primary key,
    run integer not null references run (id),
    interpreter text not null,  -- a name within the run
    step integer not null,  -- what a process inherits: shared facts of its interpreter up to this step
    shared integer not null,  -- 1: done by the interpreter, outside of tests' processes
    left_out integer not null  -- names that are missing, because there were too many
) strict;

create index facts_interpreter on facts (run, interpreter, step);

create table facts_test (
    facts integer not null references facts (id),
    test integer not null references test (id),
    primary key (facts, test)
) strict, without rowid;

create table facts_name (
    facts integer not null references facts (id),
    kind text not null,  -- opened, written, imported
    name integer not null references name (id),
    primary key (facts, kind, name)
) strict, without rowid;

create index facts_name_name on facts_name (name);

-- What a test has used: its processes' own doing, and what those have inherited.
create view files as
select
    run.name as run,
    project.path as project,
    test.grp,
    test.name as test,
    facts_name.kind,
    name.text as name,
    done.shared as inherited,
    strftime('%Y-%m-%d %H:%M:%f', run.started_ms / 1000.0, 'unixepoch') as started
from facts
join facts_test on facts_test.facts = facts.id
join facts as done on done.run = facts.run and done.interpreter = facts.interpreter
    and (done.id = facts.id or (done.shared = 1 and done.step <= facts.step))
join facts_name on facts_name.facts = done.id
join name on name.id = facts_name.name
join test on test.id = facts_test.test
join run on run.id = facts.run
join project on project.id = run.project
where facts.shared = 0;

-- The tests of which that is known; `left_out` is not 0 where names are missing.
create view recorded as
select
    run.name as run,
    project.path as project,
    test.grp,
    test.name as test,
    sum(done.left_out) as left_out
from facts
join facts_test on facts_test.facts = facts.id
join facts as done on done.run = facts.run and done.interpreter = facts.interpreter
    and (done.id = facts.id or (done.shared = 1 and done.step <= facts.step))
join test on test.id = facts_test.test
join run on run.id = facts.run
join project on project.id = run.project
where facts.shared = 0
group by facts.run, facts_test.test;
