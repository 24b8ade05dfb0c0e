import { Migration } from '@mikro-orm/migrations'

/**
 * The core's tables. Payloads are `json`, not `jsonb`: they are written once and handed on as they came, never searched.
 * Hot rows (`runs`, `steps`) carry no index on columns that change while a run moves, so that their updates stay HOT.
 */
export class Core0001 extends Migration {
  override up(): void {
    this.addSql(`
      create table workspaces (
        id text primary key,
        handle text not null unique,
        name text not null,
        -- How far the log was trimmed: who resumes before that is told to start anew.
        trimmed_xid xid8 not null default '0',
        trimmed_position bigint not null default 0,
        created_at timestamptz(3) not null default now()
      )`)
    this.addSql(`
      create table users (
        id text primary key,
        -- In one spelling, made by access: lower case, no blanks around it.
        email text not null unique,
        name text not null default '',
        -- Empty until an invited user has set one: nothing matches it.
        password_hash text not null,
        -- Tokens carry it; logout, password and role changes raise it, and so end them.
        token_epoch int not null default 1,
        default_workspace_id text references workspaces (id) on delete set null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now()
      )`)
    this.addSql(`
      create table members (
        workspace_id text not null references workspaces (id) on delete cascade,
        user_id text not null references users (id) on delete cascade,
        role text not null check (role in ('owner', 'admin', 'editor', 'operator', 'viewer')),
        created_at timestamptz(3) not null default now(),
        primary key (workspace_id, user_id)
      )`)
    this.addSql('create index members_user on members (user_id)')
    this.addSql(`
      create table api_keys (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        user_id text not null references users (id) on delete cascade,
        name text not null,
        prefix text not null,
        -- SHA-256 of a 256-bit random secret: nothing to guess, so nothing to slow down.
        hash bytea not null unique,
        scopes text[],
        created_at timestamptz(3) not null default now(),
        last_used_at timestamptz(3),
        revoked_at timestamptz(3)
      )`)
    this.addSql('create index api_keys_workspace on api_keys (workspace_id, id)')
    this.addSql('create index api_keys_user on api_keys (user_id)')
    this.addSql(`
      create table refresh_tokens (
        hash bytea primary key,
        -- All that descend from one login; a used one that comes back ends them all.
        family text not null,
        -- The one it was given for.
        replaces bytea,
        user_id text not null references users (id) on delete cascade,
        workspace_id text not null references workspaces (id) on delete cascade,
        token_epoch int not null,
        -- Of what was got with a token alone, which proves nothing anew.
        proven_at timestamptz(3),
        used_at timestamptz(3),
        expires_at timestamptz(3) not null
      )`)
    // The one of a family that is unused is found without reading all that were used.
    this.addSql('create index refresh_tokens_family on refresh_tokens (family, used_at)')
    this.addSql('create index refresh_tokens_expiry on refresh_tokens (expires_at)')
    this.addSql('create index refresh_tokens_user on refresh_tokens (user_id)')
    this.addSql(`
      create table password_tokens (
        hash bytea primary key,
        user_id text not null references users (id) on delete cascade,
        expires_at timestamptz(3) not null
      )`)
    this.addSql('create index password_tokens_expiry on password_tokens (expires_at)')
    this.addSql('create index password_tokens_user on password_tokens (user_id)')
    this.addSql(`
      create table tickets (
        hash bytea primary key,
        principal json not null,
        expires_at timestamptz(3) not null
      )`)
    this.addSql('create index tickets_expiry on tickets (expires_at)')
    this.addSql(`
      create table secrets (
        workspace_id text not null references workspaces (id) on delete cascade,
        name text not null,
        ciphertext bytea not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        primary key (workspace_id, name)
      )`)
    this.addSql(`
      create table model_settings (
        workspace_id text primary key references workspaces (id) on delete cascade,
        url text not null,
        model text not null,
        -- Sealed for this workspace and this address. Null: the endpoint asks for none.
        key bytea,
        updated_at timestamptz(3) not null
      )`)
    this.addSql(`
      create table workflows (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        handle text not null,
        name text not null,
        description text not null default '',
        -- 'code': of a module that servers load, which alone changes it.
        origin text not null default 'drawn' check (origin in ('drawn', 'code')),
        draft json not null,
        revision int not null default 1,
        version int,
        hash text,
        extra json not null default '{}',
        -- The dialects that cannot say the draft.
        unfit text[] not null default '{}',
        -- Of one that the server brings along: the mode it stands for, which edition of it this is, and its hash as it was brought.
        mode text,
        mode_edition int,
        mode_hash text,
        -- Of its events: counted here, because the events themselves are trimmed.
        seq int not null default 0,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        deleted_at timestamptz(3)
      )`)
    this.addSql('create index workflows_deleted on workflows (deleted_at) where deleted_at is not null')
    this.addSql('create unique index workflows_handle on workflows (workspace_id, handle) where deleted_at is null')
    this.addSql('create unique index workflows_mode on workflows (workspace_id, mode) where deleted_at is null and mode is not null')
    // With what a list may leave out, so that it is left out by the index alone.
    this.addSql('create index workflows_list on workflows (workspace_id, id) include (unfit) where deleted_at is null')
    this.addSql(`
      create table versions (
        workflow_id text not null references workflows (id) on delete cascade,
        number int not null,
        hash text not null,
        name text not null,
        description text not null default '',
        definition json not null,
        -- How long its runs are kept after their end; null: as long as the server keeps runs.
        retain_seconds int generated always as ((definition #>> '{settings,retainForSeconds}')::int) stored,
        created_at timestamptz(3) not null default now(),
        primary key (workflow_id, number)
      )`)
    this.addSql('create unique index versions_hash on versions (workflow_id, hash)')
    this.addSql(`
      create table samples (
        workflow_id text not null references workflows (id) on delete cascade,
        node_id text not null,
        input json,
        output json,
        error json,
        updated_at timestamptz(3) not null default now(),
        primary key (workflow_id, node_id)
      )`)
    this.addSql(`
      create table trial_states (
        workspace_id text not null references workspaces (id) on delete cascade,
        session text not null,
        -- Without a reference: empty for nodes that stand in no workflow.
        workflow_id text not null,
        node_id text not null,
        type text not null,
        state json not null,
        count int not null,
        -- The trial under way, or one whose outcome is still to be written here.
        run_id text,
        expires_at timestamptz(3) not null,
        primary key (workspace_id, session, workflow_id, node_id)
      )`)
    this.addSql('create index trial_states_expiry on trial_states (expires_at)')
    this.addSql(`
      create table runs (
        id text primary key,
        -- Without references, and so are the runs of steps: checked row by row they were a quarter of what a run costs PostgreSQL.
        -- Who inserts a run holds its workflow's row, and who deletes one deletes its steps.
        workspace_id text not null,
        workflow_id text not null,
        version int not null,
        -- A trial runs a part of a draft: its definition stands here, and it is listed nowhere.
        trial json,
        status text not null,
        waiting_kind text,
        -- Raised by every claim: a commit with an older one is refused.
        epoch int not null default 0,
        -- Raised by every commit: a change computed on an older one is computed again.
        revision int not null default 0,
        deaths int not null default 0,
        seq int not null default 0,
        progress real not null default 0,
        steps int not null default 0,
        input json,
        -- Whether the input is an object of values by input node.
        keyed_input boolean not null default false,
        output json,
        reason json,
        -- What an ending run is on its way to.
        ending json,
        transaction_id text,
        live_transaction text,
        lane text,
        lane_live text,
        parent_run_id text,
        parent_step text,
        root_run_id text,
        depth int not null default 0,
        trigger text not null default 'manual',
        tags text[] not null default '{}',
        started_by text,
        -- The session whose round it is. Without a reference: a run that ends after its session is gone goes with it.
        session_id text,
        input_hash text,
        -- The W3C trace context it was started in: a worker in another process tells its spans in the same trace.
        traceparent text,
        missing text[],
        -- Of its version, so that what is due is found by an index.
        retain_seconds int,
        deadline_at timestamptz(3),
        held_at timestamptz(3),
        created_at timestamptz(3) not null,
        started_at timestamptz(3),
        ended_at timestamptz(3),
        updated_at timestamptz(3) not null
      ) with (fillfactor = 50)`)
    this.addSql('create index runs_workspace on runs (workspace_id, id)')
    // Over all that is counted, so that it is counted by the index alone.
    this.addSql('create index runs_workflow on runs (workflow_id, id) where trial is null')
    // What is live and what ended badly, newest first, without reading the million that are neither (300,000 runs: 0.1 ms for 90).
    // Their columns change when a run ends, which writes every index; until then its updates are HOT. Live trials too: they are
    // few, and the nets under the engine look for all that is live.
    this.addSql('create index runs_live on runs (workflow_id, id) where ended_at is null')
    this.addSql('create index runs_live_workspace on runs (workspace_id, id) where ended_at is null')
    // What moves is asked for beside a hundred thousand that wait, by the nets too. A run that comes to wait is written anew for it.
    this.addSql(`create index runs_moving on runs (workspace_id, id) where ended_at is null and (waiting_kind is null or waiting_kind = 'version')`)
    this.addSql('create index runs_held on runs (workspace_id, id) where ended_at is null and held_at is not null')
    this.addSql('create index runs_ended_badly on runs (workspace_id, id) where reason is not null and trial is null')
    this.addSql('create index runs_workflow_ended_badly on runs (workflow_id, id) where reason is not null and trial is null')
    // Little of what failed, and what somebody has to see to.
    this.addSql(`create index runs_not_undone on runs (workspace_id, id) where reason ->> 'code' = 'compensation_failed' and trial is null`)
    // Most are started by hand or by their parent, and are in it at no cost.
    this.addSql(`create index runs_trigger on runs (workspace_id, trigger, id) where trigger <> all('{manual,parent}') and trial is null`)
    // Over those that have any: others cost nothing. A rare tag must be known as rare, or it is looked for through all runs.
    this.addSql(`create index runs_tags on runs using gin (tags) where tags <> '{}'`)
    this.addSql('alter table runs alter column tags set statistics 300')
    this.addSql('create unique index runs_transaction on runs (workflow_id, live_transaction) where live_transaction is not null')
    this.addSql('create index runs_transactions on runs (workflow_id, transaction_id, id) where transaction_id is not null')
    this.addSql('create index runs_transaction_ids on runs (workspace_id, transaction_id, id) where transaction_id is not null')
    this.addSql('create unique index runs_lane_live on runs (workspace_id, lane_live) where lane_live is not null')
    this.addSql('create index runs_lane on runs (workspace_id, lane, id) where lane is not null and ended_at is null')
    this.addSql('create index runs_session on runs (session_id, id) where session_id is not null')
    // For retention. "ended_at" changes once, with the end, which other indexes of live runs have to hear of anyway: a run that
    // moves stays HOT.
    this.addSql('create index runs_aged on runs (ended_at) where ended_at is not null and parent_run_id is null and trial is null and retain_seconds is null')
    this.addSql(`
      create index runs_expired on runs (((ended_at at time zone 'UTC') + retain_seconds * interval '1 second'))
      where ended_at is not null and parent_run_id is null and trial is null and retain_seconds is not null`)
    // They are few: kept for a day.
    this.addSql('create index runs_trials on runs (workflow_id, ended_at) where trial is not null')
    this.addSql('create unique index runs_parent on runs (parent_run_id, parent_step) where parent_run_id is not null')
    this.addSql(`
      create table steps (
        run_id text not null,
        node_id text not null,
        iteration text not null default '',
        state text not null,
        attempts int not null default 0,
        failures int not null default 0,
        -- The order of completion in the run: undoing goes through it backwards.
        settled int,
        output json,
        output_bytes int not null default 0,
        route text[],
        error json,
        waiting_for json,
        skip_reason text,
        compensation json,
        compensate_input json,
        body json,
        reported text,
        started_at timestamptz(3),
        last_attempt_at timestamptz(3),
        retry_at timestamptz(3),
        timed_out_at timestamptz(3),
        ended_at timestamptz(3),
        primary key (run_id, node_id, iteration)
      ) with (fillfactor = 50)`)
    this.addSql(`
      create table pauses (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        -- Its run's: a reference of its own would make a run that moves wait for the workflow's row.
        workflow_id text not null,
        run_id text not null references runs (id) on delete cascade,
        node_id text not null,
        iteration text not null,
        step text not null,
        kind text not null,
        status text not null,
        message text not null,
        form json,
        input json,
        assignee text,
        blocks text not null,
        on_expiry json,
        opened_at timestamptz(3) not null,
        due_at timestamptz(3),
        decision json,
        decision_key text
      )`)
    this.addSql('create index pauses_run on pauses (run_id, id)')
    this.addSql('create index pauses_workspace on pauses (workspace_id, id)')
    this.addSql('create index pauses_workflow on pauses (workflow_id, id)')
    this.addSql(`create index pauses_open on pauses (workspace_id, id) where status = 'open'`)
    // Runs that ask, in their order.
    this.addSql(`create index pauses_open_runs on pauses (workspace_id, run_id, id) where status = 'open'`)
    this.addSql(`create index pauses_assigned on pauses (workspace_id, assignee, id) where status = 'open' and assignee is not null`)
    this.addSql(`
      create table signals (
        id bigint generated always as identity primary key,
        run_id text not null references runs (id) on delete cascade,
        name text not null,
        payload json,
        created_at timestamptz(3) not null default now()
      )`)
    this.addSql('create index signals_run on signals (run_id, id)')
    this.addSql(`
      create table timers (
        run_id text not null references runs (id) on delete cascade,
        -- The step's node and iteration, or two empty strings for the run itself.
        node_id text not null,
        iteration text not null,
        kind text not null,
        due_at timestamptz(3) not null,
        primary key (run_id, node_id, iteration, kind)
      )`)
    this.addSql('create index timers_due on timers (due_at)')
    // Items of producers that wait for what comes from outside their run.
    this.addSql(`
      create table listeners (
        run_id text not null references runs (id) on delete cascade,
        node_id text not null,
        iteration text not null,
        workspace_id text not null,
        kind text not null check (kind in ('queue', 'webhook')),
        name text not null,
        -- Deliveries that came before are of no interest: when the run was made.
        since timestamptz(3) not null,
        -- The last delivery that the producer took.
        after text,
        waiting_since timestamptz not null default now(),
        primary key (run_id, node_id, iteration)
      )`)
    this.addSql('create index listeners_source on listeners (kind, workspace_id, name, waiting_since)')
    this.addSql(`
      create table sessions (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        -- Without a reference: the anonymous principal has no row.
        user_id text not null,
        workflow_id text,
        -- Of the client that made it.
        external_id text,
        title text not null,
        description text,
        tags text[] not null,
        metadata json not null,
        mode text,
        -- What a model may call in it; null: all that there is.
        tools json not null default 'null',
        subject json not null,
        status text not null check (status in ('idle', 'running', 'waiting', 'completed', 'failed', 'stopped')),
        current_step_id text,
        steps json not null,
        progress real not null,
        context json not null,
        stopped_at timestamptz(3),
        -- Of its events, which are trimmed.
        seq int not null,
        -- The number and the time (microseconds since 1970) of its last line.
        lines int not null,
        line_at bigint not null,
        -- Of the round under way.
        prompt_tokens int not null default 0,
        completion_tokens int not null default 0,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`)
    this.addSql('create index sessions_workspace on sessions (workspace_id, id)')
    this.addSql('create index sessions_user on sessions (user_id, workspace_id, id)')
    this.addSql('create index sessions_workflow on sessions (workflow_id, id) where workflow_id is not null')
    // Records are listed in these orders, and by this status.
    this.addSql('create index sessions_created on sessions (workspace_id, created_at, id)')
    this.addSql('create index sessions_user_created on sessions (user_id, workspace_id, created_at, id)')
    this.addSql('create index sessions_updated on sessions (workspace_id, updated_at, id)')
    this.addSql('create index sessions_status on sessions (workspace_id, status, id)')
    this.addSql('create unique index sessions_external on sessions (user_id, workspace_id, external_id) where external_id is not null')
    this.addSql(`
      create table lines (
        session_id text not null references sessions (id) on delete cascade,
        number int not null,
        id text not null,
        at timestamptz(6) not null,
        kind text not null,
        run_id text,
        data json not null,
        primary key (session_id, number)
      )`)
    this.addSql('create unique index lines_id on lines (session_id, id)')
    this.addSql(`create index lines_messages on lines (id) where kind = 'message'`)
    this.addSql('create index lines_kind on lines (session_id, kind, number)')
    // Of collections that the operator declares. What its fields say is no matter of the database: the file may change.
    this.addSql(`
      create table records (
        workspace_id text not null references workspaces (id) on delete cascade,
        -- The id of the collection.
        collection text not null,
        id text not null,
        -- By field, without its id and without what the server sets.
        data jsonb not null,
        -- Of its events.
        seq int not null,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        primary key (workspace_id, collection, id)
      )`)
    // Newest first is what nearly every list asks for. No value of a record is in it: a change of one writes no index.
    this.addSql('create index records_made on records (workspace_id, collection, created_at, id)')
    // What there is one of: a digest of the value, which may be longer than an index takes.
    this.addSql(`
      create table record_keys (
        workspace_id text not null,
        collection text not null,
        field text not null,
        value text not null,
        id text not null,
        primary key (workspace_id, collection, field, value),
        foreign key (workspace_id, collection, id) references records (workspace_id, collection, id) on delete cascade
      )`)
    this.addSql('create index record_keys_record on record_keys (workspace_id, collection, id)')
    // What refers to what, so that it is found from there.
    this.addSql(`
      create table record_links (
        workspace_id text not null,
        collection text not null,
        id text not null,
        field text not null,
        -- The id of a record of the collection that the field refers to.
        target text not null,
        primary key (workspace_id, collection, id, field, target),
        foreign key (workspace_id, collection, id) references records (workspace_id, collection, id) on delete cascade
      )`)
    this.addSql('create index record_links_target on record_links (workspace_id, target, collection, field, id)')
    this.addSql(`
      create table events (
        -- Whose log it is in; empty for a trial's, which are told to who follows that run alone.
        workspace_id text not null,
        subject_kind text not null,
        subject_id text not null,
        seq int not null,
        -- Commit order of a workspace is (xid, position): a reader goes up to the oldest transaction still open.
        xid xid8 not null default pg_current_xact_id(),
        position bigint generated always as identity,
        workflow_id text,
        -- Whom alone, beside admins, it may be told to; of everybody's concern where there is none.
        owner text,
        type text not null,
        data json not null,
        at timestamptz(3) not null,
        primary key (subject_id, seq, subject_kind)
      )`)
    // For retention: run events, which are nearly all, are not in it.
    this.addSql(`create index events_aged on events (at) where subject_kind <> 'run'`)
    // Live connections whose subscriptions come in requests of their own, which may reach another server than the one that holds it.
    this.addSql(`
      create table connections (
        id text primary key,
        -- Of the client that opened it.
        address text not null,
        -- Who has subscribed, and so whose it is from then on.
        principal json,
        principal_id text,
        workspace_id text,
        topics text[] not null default '{}',
        -- Of each topic what its subscription saw of all transactions, as xmin:xmax:xip; \`kept\`: it goes on where it was left.
        since text[] not null default '{}',
        revision int not null default 0,
        -- By the server that holds it.
        seen_at timestamptz(3) not null default now()
      ) with (fillfactor = 70)`)
    this.addSql('create index connections_seen on connections (seen_at)')
    // How far a user was told of a topic that is kept.
    this.addSql(`
      create table tellings (
        workspace_id text not null references workspaces (id) on delete cascade,
        user_id text not null,
        -- SHA-256 of the topic as it was subscribed.
        topic bytea not null,
        xid xid8 not null,
        position bigint not null,
        updated_at timestamptz(3) not null default now(),
        primary key (workspace_id, user_id, topic)
      )`)
    this.addSql('create index tellings_age on tellings (updated_at)')
    // Runs that have gone, until their events have, too.
    this.addSql('create table runs_gone (run_id text primary key)')
    this.addSql('create index events_workspace on events (workspace_id, xid, position)')
    this.addSql(`
      create table idempotency (
        workspace_id text not null references workspaces (id) on delete cascade,
        actor text not null,
        key text not null,
        fingerprint text not null,
        reply json not null,
        created_at timestamptz(3) not null default now(),
        primary key (workspace_id, actor, key)
      )`)
    this.addSql('create index idempotency_age on idempotency (created_at)')
    this.addSql(`
      create table queues (
        workspace_id text not null references workspaces (id) on delete cascade,
        name text not null,
        -- Each item starts a run of it; null: items wait for who reads them. Taken away with the workflow.
        workflow_id text,
        concurrency int,
        -- On whose behalf these runs start: who bound the workflow.
        bound_by text,
        -- Lent to one server for a few seconds, so that items go in their order.
        lent_until timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        primary key (workspace_id, name)
      )`)
    this.addSql('create index queues_workflow on queues (workflow_id) where workflow_id is not null')
    this.addSql(`
      create table queue_items (
        id text primary key,
        -- The order of those that came at one moment.
        position bigint generated always as identity,
        workspace_id text not null,
        queue text not null,
        status text not null default 'waiting' check (status in ('waiting', 'taken', 'dead')),
        payload json not null,
        bytes int not null,
        -- Starts that failed, and the last one's error.
        tries int not null default 0,
        error json,
        -- Not taken before; their order is that of this time.
        due_at timestamptz not null default now(),
        -- The run that took it, or was started by it: then \`live\` until it is known to have ended.
        run_id text,
        live boolean not null default false,
        pushed_at timestamptz not null default now(),
        taken_at timestamptz(3),
        foreign key (workspace_id, queue) references queues (workspace_id, name) on delete cascade
      )`)
    this.addSql('create index queue_items_order on queue_items (status, workspace_id, queue, due_at, position)')
    this.addSql('create index queue_items_list on queue_items (workspace_id, queue, id)')
    this.addSql('create index queue_items_live on queue_items (workspace_id, queue) where live')
    this.addSql(`create index queue_items_aged on queue_items (taken_at) where status = 'taken'`)
    this.addSql(`
      create table webhooks (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        name text not null,
        -- SHA-256 of the 256-bit random secret in its address. Null: it has none yet.
        secret_hash bytea,
        -- Header names and tolerance; its secret apart, sealed.
        signature json,
        signing_secret bytea,
        id_header text,
        -- Each delivery starts a run of it, on behalf of who said so. Without a reference: a deleted workflow makes deliveries die, and tells why.
        workflow_id text,
        bound_by text,
        -- The newest delivery: their ids are drawn under this row's lock, so that their order is that of their commits.
        last_delivery text,
        last_received_at timestamptz(3),
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`)
    this.addSql('create unique index webhooks_name on webhooks (workspace_id, name)')
    this.addSql('create index webhooks_list on webhooks (workspace_id, id)')
    this.addSql(`
      create table deliveries (
        id text primary key,
        webhook_id text not null references webhooks (id) on delete cascade,
        status text not null check (status in ('pending', 'done', 'dead', 'unheard')),
        -- What the sender calls it, and what it was signed with: whichever comes again, it is not another one.
        sender_id text,
        signature_hash bytea,
        redelivers text,
        method text not null,
        headers json not null,
        query json not null,
        body json not null,
        producers int not null default 0,
        -- The trigger at the time it came.
        workflow_id text,
        bound_by text,
        run_id text,
        attempts int not null default 0,
        error json,
        due_at timestamptz(3),
        received_at timestamptz(3) not null,
        settled_at timestamptz(3)
      )`)
    this.addSql('create index deliveries_webhook on deliveries (webhook_id, id)')
    this.addSql('create unique index deliveries_sender on deliveries (webhook_id, sender_id) where sender_id is not null')
    this.addSql('create unique index deliveries_signature on deliveries (webhook_id, signature_hash) where signature_hash is not null')
    this.addSql('create index deliveries_due on deliveries (due_at) where due_at is not null')
    this.addSql('create index deliveries_aged on deliveries (settled_at) where settled_at is not null')
    this.addSql(`
      create table webhook_readers (
        -- A producer that has taken deliveries, and the last of them: while its run lives it listens, also when it is busy.
        run_id text not null references runs (id) on delete cascade,
        node_id text not null,
        webhook_id text not null references webhooks (id) on delete cascade,
        after text not null,
        primary key (run_id, node_id, webhook_id)
      )`)
    this.addSql('create index webhook_readers_webhook on webhook_readers (webhook_id)')
    this.addSql(`
      create table schedules (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        -- Hidden, it has none any more.
        workflow_id text not null references workflows (id) on delete cascade,
        name text not null,
        cron text,
        every_ms bigint,
        time_zone text not null,
        -- Of an interval: its moments are whole intervals from here.
        anchor_at timestamptz(3) not null,
        -- {"input": …} or {"inputs": …}. Null: its runs are told their time.
        given json,
        missed text not null check (missed in ('skip', 'once', 'all')),
        overlap text not null check (overlap in ('allow', 'skip', 'queue')),
        times int,
        starts_at timestamptz(3),
        ends_at timestamptz(3),
        enabled boolean not null,
        -- The first moment that is not served yet. Null: paused, or ended.
        next_at timestamptz(3),
        -- When it is looked at: then, or later while it is lent to a server and after a start that was refused.
        due_at timestamptz(3),
        last_at timestamptz(3),
        last_run_id text,
        count int not null default 0,
        skipped int not null default 0,
        -- Starts for this moment that were refused.
        tries int not null default 0,
        last_error json,
        origin text not null check (origin in ('api', 'code')),
        -- On whose behalf its runs start: who said last what it is. Null: code.
        said_by text,
        -- Counts what is said of it: what was read before is not acted on after.
        revision int not null default 1,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        check ((next_at is null) = (due_at is null)),
        check ((cron is null) <> (every_ms is null))
      )`)
    this.addSql('create unique index schedules_name on schedules (workflow_id, name)')
    this.addSql('create index schedules_list on schedules (workspace_id, id)')
    this.addSql('create index schedules_due on schedules (due_at) where due_at is not null')
    this.addSql(`
      create table audit (
        id text primary key,
        -- Without a reference: what was done outlives the workspace it was done to.
        workspace_id text not null,
        at timestamptz(3) not null,
        action text not null,
        principal_id text,
        user_id text,
        credential text,
        resource text,
        outcome text not null,
        code text,
        details json not null,
        request_id text not null,
        ip text not null
      )`)
    this.addSql('create index audit_workspace on audit (workspace_id, id)')
    this.addSql(`
      create table files (
        id text primary key,
        workspace_id text not null references workspaces (id) on delete cascade,
        -- Whoever brought it, also one without a row (anonymous), also when their row has gone.
        owner_id text not null,
        name text not null,
        content_type text not null,
        -- What is reserved for it while it comes, then what it has.
        bytes bigint not null,
        sha256 text,
        created_at timestamptz(3) not null default now(),
        -- Null: it is still coming, and is seen by nobody.
        stored_at timestamptz(3),
        -- Since when nothing uses it. Null: something does, or it is still coming.
        unused_at timestamptz(3)
      )`)
    this.addSql('create index files_list on files (workspace_id, id) include (bytes)')
    this.addSql('create index files_own on files (workspace_id, owner_id, id)')
    this.addSql('create index files_unused on files (unused_at) where unused_at is not null')
    this.addSql('create index files_coming on files (created_at) where stored_at is null')
    this.addSql(`
      create table file_chunks (
        file_id text not null references files (id) on delete cascade,
        number int not null,
        data bytea not null,
        primary key (file_id, number)
      )`)
    // Most files are compressed already.
    this.addSql('alter table file_chunks alter column data set storage external')
    this.addSql(`
      create table file_uses (
        file_id text not null references files (id) on delete cascade,
        subject_kind text not null,
        subject_id text not null,
        primary key (file_id, subject_kind, subject_id)
      )`)
    this.addSql('create index file_uses_subject on file_uses (subject_kind, subject_id)')
    this.addSql(`
      create table node_files (
        id text primary key,
        workflow_id text not null references workflows (id) on delete cascade,
        node_id text not null,
        key text not null,
        file_id text not null references files (id) on delete cascade,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        unique (workflow_id, node_id, key)
      )`)
    this.addSql('create index node_files_file on node_files (file_id)')
    // Few runs write files: a reference costs the others nothing when they are stored, and little when they go.
    this.addSql('create table file_writes (run_id text not null references runs (id) on delete cascade, step text not null, primary key (run_id, step))')
    // Unlogged: a count that is lost in a crash hurts nobody. Columns as rate-limiter-flexible fills them, by position.
    this.addSql('create unlogged table rate_limits (key text primary key, points int not null default 0, expire bigint) with (fillfactor = 50)')
  }

  override down(): void {
    for (const table of [
      'rate_limits',
      'file_writes',
      'node_files',
      'file_uses',
      'file_chunks',
      'files',
      'audit',
      'schedules',
      'webhook_readers',
      'deliveries',
      'webhooks',
      'queue_items',
      'queues',
      'idempotency',
      'runs_gone',
      'tellings',
      'connections',
      'events',
      'record_links',
      'record_keys',
      'records',
      'lines',
      'sessions',
      'listeners',
      'timers',
      'signals',
      'pauses',
      'steps',
      'runs',
      'trial_states',
      'samples',
      'versions',
      'workflows',
      'model_settings',
      'secrets',
      'tickets',
      'password_tokens',
      'refresh_tokens',
      'api_keys',
      'members',
      'users',
      'workspaces',
    ])
      this.addSql(`drop table ${table}`)
  }
}
