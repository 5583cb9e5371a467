pragma user_version = 2;

CREATE INDEX facts_interpreter on facts (run, interpreter, step);

CREATE INDEX facts_name_name on facts_name (name);

CREATE INDEX result_bad on result (run, outcome)
where outcome = 'fail' or outcome = 'error' or outcome = 'timeout' or outcome = 'crash' or outcome = 'oom'
    or outcome = 'lost' or outcome = 'cancelled';

CREATE INDEX run_project on run (project);

CREATE TABLE facts (
    id integer primary key,
    run integer not null references run (id),
    interpreter text not null,  -- a name within the run
    step integer not null,  -- what a process inherits: shared facts of its interpreter up to this step
    shared integer not null,  -- 1: done by the interpreter, outside of tests' processes
    left_out integer not null  -- names that are missing, because there were too many
) strict;

CREATE TABLE facts_name (
    facts integer not null references facts (id),
    kind text not null,  -- opened, written, imported
    name integer not null references name (id),
    primary key (facts, kind, name)
) strict, without rowid;

CREATE TABLE facts_test (
    facts integer not null references facts (id),
    test integer not null references test (id),
    primary key (facts, test)
) strict, without rowid;

CREATE TABLE name (
    id integer primary key,
    text text not null unique
) strict;

CREATE TABLE output (
    id integer primary key,
    named integer not null,  -- 1: byte 26 stands where the test's name stood
    stdout blob,
    stdout_tail blob,
    stdout_total integer,  -- bytes written in all, when that is not what is kept
    stdout_spill text,  -- the file that holds more
    stderr blob,
    stderr_tail blob,
    stderr_total integer,
    stderr_spill text
) strict;

CREATE TABLE project (
    id integer primary key,
    path text not null unique
) strict;

CREATE TABLE result (
    run integer not null references run (id),
    test integer not null references test (id),
    attempt integer not null,  -- from 1; 0 for a test that was skipped
    outcome text not null,
    reason text,
    exit_code integer,
    signal integer,
    fault text,  -- the step at which its process could not be started, or 'slot-lost'
    errno integer,  -- the error number of that step
    started_us integer,  -- since the run began
    wall_us integer not null,
    user_us integer not null,
    system_us integer not null,
    peak_memory integer not null,  -- bytes
    node integer,
    slot integer,
    last integer not null,  -- 1: no further try follows
    notes text,  -- JSON: sentences for the reader
    output integer,  -- output.id; null when nothing was written
    primary key (run, test, attempt)
) strict, without rowid;

CREATE TABLE run (
    id integer primary key,  -- milliseconds since 1970 << 22 | random: a range of time is a range of ids
    name text not null unique,  -- the id as it is shown
    project integer not null references project (id),
    command text not null,  -- JSON: one string an argument
    host text not null,
    username text not null,
    started_ms integer not null,  -- since 1970
    wall_us integer,
    isolation text not null,
    slots integer not null,
    seed text not null,  -- 64 bits without a sign, which an integer here cannot hold
    revision text,
    labels text not null,  -- JSON object
    recorder text,  -- the process that writes: boot id, process namespace, process id, its start in clock ticks
    state text not null check (state in ('running', 'finished', 'interrupted')),
    exit_code integer,
    passed integer,
    flaky integer,
    failed integer,
    errors integer,
    skipped integer,
    not_run integer
) strict;

CREATE TABLE test (
    id integer primary key,
    project integer not null references project (id),
    grp text not null,
    name text not null,
    unique (project, grp, name)
) strict;

CREATE VIEW files as
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

CREATE VIEW outputs as
select
    run.name as run,
    project.path as project,
    test.grp,
    test.name as test,
    result.attempt,
    result.outcome,
    case output.named when 1 then replace(cast(output.stdout as text), char(26), test.name)
        else cast(output.stdout as text) end as stdout,
    case output.named when 1 then replace(cast(output.stdout_tail as text), char(26), test.name)
        else cast(output.stdout_tail as text) end as stdout_tail,
    case output.named when 1 then replace(cast(output.stderr as text), char(26), test.name)
        else cast(output.stderr as text) end as stderr,
    case output.named when 1 then replace(cast(output.stderr_tail as text), char(26), test.name)
        else cast(output.stderr_tail as text) end as stderr_tail
from result
join run on run.id = result.run
join test on test.id = result.test
join project on project.id = run.project
join output on output.id = result.output;

CREATE VIEW recorded as
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

CREATE VIEW results as
select
    run.name as run,
    project.path as project,
    test.grp,
    test.name as test,
    result.attempt,
    result.outcome,
    result.reason,
    result.last,
    result.exit_code,
    result.signal,
    result.fault,
    result.errno,
    strftime('%Y-%m-%d %H:%M:%f', run.started_ms / 1000.0 + result.started_us / 1e6, 'unixepoch') as started,
    result.wall_us / 1e6 as seconds,
    (result.user_us + result.system_us) / 1e6 as cpu_seconds,
    result.peak_memory,
    case result.node when 0 then run.host else result.node end as machine,
    result.slot,
    result.notes,
    run.username,
    run.revision,
    result.output
from result
join run on run.id = result.run
join test on test.id = result.test
join project on project.id = run.project;

CREATE VIEW runs as
select
    run.name as run,
    project.path as project,
    strftime('%Y-%m-%d %H:%M:%f', run.started_ms / 1000.0, 'unixepoch') as started,
    run.wall_us / 1e6 as seconds,
    run.state,
    run.exit_code,
    run.passed,
    run.flaky,
    run.failed,
    run.errors,
    run.skipped,
    run.not_run,
    run.username,
    run.host,
    run.isolation,
    run.slots,
    run.revision,
    run.labels,
    run.command,
    run.seed
from run
join project on project.id = run.project;
