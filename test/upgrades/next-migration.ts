import { Core0001 } from '../../packages/server/src/store/migrations/0001-core.ts'

/** What a version of tomorrow might add: a table, columns in the tables that move most, filled from what is there, and an index. It can be told to take its time. */
export class Next9000 extends Core0001 {
  override up(): void {
    this.addSql('create table regions (id text primary key, name text not null)')
    this.addSql(`insert into regions values ('here', 'Here')`)
    this.addSql(`select pg_sleep(${Number(process.env['SLUICE_TEST_MIGRATION_SECONDS'] ?? 0)})`)
    this.addSql(`alter table runs add column region text not null default 'here' references regions`)
    this.addSql(`alter table steps add column tried_for interval generated always as (ended_at - started_at) stored`)
    this.addSql('create index runs_region on runs (workspace_id, region)')
  }

  override down(): void {
    this.addSql('alter table steps drop column tried_for')
    this.addSql('alter table runs drop column region')
    this.addSql('drop table regions')
  }
}
