/** The JavaScript of the published document on `workflow_sessions`, letter by letter, under its headings. */
export const snippets = {
  list: `
import PocketBase from 'pocketbase';

const pb = new PocketBase('https://test.turing99.online');

// Fetch a paginated records list
const resultList = await pb.collection('workflow_sessions').getList(1, 50, {
    filter: 'status = "running"',
    sort: '-created',
});

// Fetch all records at once via getFullList
const records = await pb.collection('workflow_sessions').getFullList({
    sort: '-created',
});

// Fetch only the first record that matches the specified filter
const record = await pb.collection('workflow_sessions').getFirstListItem('title ~ "test"', {
    expand: 'user',
});
`,
  view: `
const record = await pb.collection('workflow_sessions').getOne('RECORD_ID', {
    expand: 'user',
});
`,
  create: `
const data = {
    "title": "New Session",
    "status": "idle",
    "currentStepId": "topic-discovery",
    "steps": [], // Initial steps JSON
    "context": {},
    "user": "USER_ID"
};

const record = await pb.collection('workflow_sessions').create(data);
`,
  update: `
const data = {
    "status": "running",
    "context": { "topic": "AI" }
};

const record = await pb.collection('workflow_sessions').update('RECORD_ID', data);
`,
  delete: `
await pb.collection('workflow_sessions').delete('RECORD_ID');
`,
  realtime: `
// Subscribe to all changes in workflow_sessions
pb.collection('workflow_sessions').subscribe('*', function (e) {
    console.log(e.action); // create, update, delete
    console.log(e.record);
});

// Unsubscribe
pb.collection('workflow_sessions').unsubscribe('*');
`,
  batch: `
const batch = pb.createBatch();

batch.collection('workflow_sessions').create({ ... });
batch.collection('workflow_sessions').update('RECORD_ID', { ... });
batch.collection('workflow_sessions').delete('RECORD_ID');

const result = await batch.send();
`,
} as const

/** What its examples say a record has, and in which form. */
export const exampleRecord = {
  id: 'RECORD_ID',
  collectionId: 'pbc_3436149272',
  collectionName: 'workflow_sessions',
  title: 'My New Workflow',
  status: 'idle',
  currentStepId: 'topic-discovery',
  steps: [],
  context: {},
  user: 'USER_ID',
  created: '2026-01-01 10:00:00.000Z',
  updated: '2026-01-01 10:00:00.000Z',
} as const

export const exampleList = { page: 1, perPage: 30, totalPages: 1, totalItems: 2, items: [exampleRecord] } as const
