const KiB = 1024
const MiB = 1024 * KiB

/** The bounds of what Sluice takes and keeps. Sizes are bytes of JSON text in UTF-8. */
export const limits = {
  bodyBytes: MiB,
  uploadBytes: 32 * MiB,
  filesPerUpload: 10,
  workspaceFileBytes: 10 * 1024 * MiB,
  workspaceFiles: 100_000,
  jsonDepth: 64,
  jsonKeys: 10_000,
  /** A draft; one that came in one request is hardly larger than that. */
  definitionBytes: 2 * MiB,
  /** In one file of a workflow. */
  filedVersions: 100,
  nodes: 1_000,
  links: 5_000,
  extraBytes: 16 * KiB,
  /** For each item, and for what is outside items. */
  stepsPerRun: 10_000,
  eventsPerRun: 50_000,
  items: 100_000,
  openPauses: 100,
  signalsPerRun: 100,
  /** Of a workspace; and of one of them the items that nobody has taken. */
  queues: 1_000,
  queueItems: 100_000,
  webhooks: 1_000,
  /** Of a workspace; and what one of them starts its runs with. */
  schedules: 1_000,
  scheduleInputBytes: 64 * KiB,
  childDepth: 10,
  stepOutputBytes: 2 * MiB,
  /** Of a run whose output is put together of those of several steps. */
  runOutputBytes: 8 * MiB,
  mergedDataBytes: 2 * MiB,
  eventOutputBytes: 64 * KiB,
  eventFrameBytes: 128 * KiB,
  snapshotBytes: MiB,
  listValueBytes: 16 * KiB,
  /** What the nodes of one run were given and gave, when that is told as a whole. */
  wholeOutputsBytes: 8 * MiB,
  /** The last of a node in a body, of one run; and what their outputs amount to together. */
  nodeIterations: 100,
  iterationsBytes: 4 * MiB,
  /** Of a workflow: of more, so many are told. */
  countedRuns: 10_000,
  answerBytes: 16 * MiB,
  /** One value of a sample, and all samples that go along with a draft, so that the answer holds both. */
  sampleValueBytes: 2 * MiB,
  samplesBytes: 12 * MiB,
  streamBufferBytes: MiB,
  laneQueue: 10,
  contextBytes: MiB,
  /** What one step sets in a session's context. */
  contextPatchBytes: 64 * KiB,
  filesPerMessage: 20,
  /** In one page of them, after the modes. */
  chatbots: 1_000,
  messageChars: 256 * KiB,
  /** Of one session, in an answer; and of all sessions in it. */
  sessionMessages: 1_000,
  /** Of one session, in a page of them. */
  lines: 10_000,
  answerMessages: 10_000,
  /** What a round is given of the messages before it. */
  historyMessages: 100,
  historyBytes: 256 * KiB,
  /** What a client keeps in a session beside its context and its steps. */
  metadataBytes: 64 * KiB,
  attemptMs: 600_000,
  trialMs: 300_000,
  /** How long what producers keep between trials of one session outlives the last of them. */
  trialStateMs: 1_800_000,
  waitMs: 300_000,
  workerDeaths: 5,
  batch: 10,
} as const
