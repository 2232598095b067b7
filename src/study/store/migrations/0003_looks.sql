-- What people look at: no search depends on it. Times are seconds since 1970 by the database's clock.

create table controllers (
    study bigint not null references studies (id),
    controller bigint not null,
    -- As JSON: what it decides, each with its values.
    choices text not null,
    primary key (study, controller)
);

create table updates (
    study bigint not null references studies (id),
    controller bigint not null,
    step bigint not null,
    -- How many trials there were.
    trials bigint not null,
    recorded double precision not null,
    -- As JSON: named numbers, and after some updates the probabilities of all values.
    scalars text not null,
    policy text,
    primary key (study, controller, step)
);

create table tests (
    study bigint not null references studies (id),
    -- The network's.
    digest text not null,
    recorded double precision not null,
    -- As JSON: the score.
    tested text not null,
    primary key (study, digest)
);

create index jobs_study on jobs (study, changed);

-- The list of studies counts and ranks trials without reading them.
create index trials_summary on trials (study, number, score, recorded);
