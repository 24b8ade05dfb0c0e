// What the bench uses of @dbos-inc/dbos-sdk, for those who check its types without having installed it: `npm test` does.
// Where it is installed, its own types are taken instead (tsconfig.json, "paths").
interface Handle<R> {
  workflowID: string
  getResult(): Promise<R>
}

export declare const DBOS: {
  readonly workflowID: string | undefined
  setConfig(config: { name: string; systemDatabaseUrl: string; logLevel: string }): void
  launch(): Promise<void>
  shutdown(): Promise<void>
  registerWorkflow<R>(work: () => Promise<R>, options: { name: string }): () => Promise<R>
  startWorkflow<R>(workflow: () => Promise<R>): () => Promise<Handle<R>>
  runStep<R>(step: () => Promise<R>, options: { name: string }): Promise<R>
  send(workflowID: string, message: string, topic: string): Promise<void>
  recv(topic: string, timeoutSeconds: number): Promise<unknown>
}
