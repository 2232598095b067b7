-- Studies and what was paid for. Times are seconds since 1970 by the database's clock.

create table studies (
    id {key},
    name text not null unique,
    script text not null,
    seed text not null,
    parent text,
    -- As JSON: what the study was started with.
    about text not null,
    created double precision not null,
    -- Whoever takes the study adds one, and so ends the right of the holder before.
    term bigint not null,
    holder text not null,
    -- The call that made the row: a call that is repeated finds it.
    ticket text not null unique
);

create table trials (
    study bigint not null references studies (id),
    number bigint not null,
    digest text,
    -- What was decided, in short.
    actions text,
    reward double precision not null,
    score double precision,
    failure text,
    cached integer not null,
    recorded double precision not null,
    -- As JSON: the whole trial.
    trial text not null,
    primary key (study, number)
);

-- Answers of the host that no seed determines, such as measured latencies.
create table facts (
    study bigint not null references studies (id),
    number bigint not null,
    kind text not null,
    question text not null,
    answer text not null,
    primary key (study, number)
);

create table snapshots (
    study bigint not null references studies (id),
    controller bigint not null,
    step bigint not null,
    state {bytes} not null,
    primary key (study, controller)
);

-- One row for each evaluation that succeeded.
create table evaluations (
    digest text primary key,
    -- As JSON: what was asked, and what came back with the history of its epochs.
    question text not null,
    outcome text not null,
    accuracy double precision,
    loss double precision,
    -- The file of the weights, relative to the store's folder of files.
    weights text,
    study bigint references studies (id),
    created double precision not null
);
