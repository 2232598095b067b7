-- The queue. Times are seconds since 1970 by the database's clock.

create table jobs (
    id {key},
    digest text not null,
    payload text not null,
    study bigint references studies (id),
    -- ready, running, done, dead, cancelled
    state text not null,
    -- How often it was started. Never falls: (id, attempts) is the fencing token.
    attempts bigint not null,
    max_attempts bigint not null,
    -- 1: nobody wants the outcome any more.
    cancel integer not null,
    created double precision not null,
    -- Not to be started before.
    ready_at double precision not null,
    lease_until double precision,
    worker text,
    -- The call that made the row, and the one that took it last: a call that is repeated finds its row.
    ticket text not null unique,
    claim text,
    progress text,
    error text,
    outcome text,
    weights text,
    -- When its state last changed.
    changed double precision not null
);

create index jobs_ready on jobs (id) where state = 'ready';
create index jobs_lease on jobs (lease_until) where state = 'running';
-- One evaluation is computed once at a time.
create unique index jobs_running on jobs (digest) where state = 'running';
