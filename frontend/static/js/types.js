/**
 * Shapes of what the server sends. They mirror the REST API's schemas; see ARCHITECTURE.md.
 *
 * @typedef {{name: string, kind: "int" | "float" | "bool" | "choice", default: any, label: string, help: string,
 *   minimum: number | null, maximum: number | null, choices: string[]}} Param
 * @typedef {{authors: string, title: string, year: number, link: string}} Paper
 * @typedef {{key: string, title: string, summary: string, cost: string, measured: string, paper: Paper | null,
 *   params: Param[]}} Model
 * @typedef {{known_pixels?: number, changed_pixels?: number}} Proof
 * @typedef {{id: string, parent: string | null, model: string, model_title: string, params: Record<string, any>,
 *   seed: number | null, width: number, height: number, bytes: number, created_at: string, mask_url: string | null,
 *   display_url: string, thumb_url: string, download_url: string, original_format: string,
 *   timings: Record<string, number>, proof: Proof, notes: Record<string, any>, overlays: Overlay[],
 *   sources: SourceMap[]}} Version
 * @typedef {[number, number, number, number]} Box left, top, right, bottom in photo pixels
 * @typedef {{name: string, title: string, url: string, box: Box}} Overlay
 * @typedef {{url: string, box: Box, width: number, height: number, patch: number}} SourceMap
 * @typedef {{url: string, box: Box}} Preview
 * @typedef {"fill" | "select-object" | "select-text"} JobKind
 * @typedef {"held" | "queued" | "running" | "succeeded" | "failed" | "cancelled"} JobStatus
 * @typedef {{id: string, kind: JobKind, picture: string, source: string, result: string | null,
 *   selection: {mask_url: string, share: number} | null, model: string, model_title: string,
 *   status: JobStatus, queue: string, position: number | null, attempt: number, stage: string, fraction: number,
 *   steps_done: number | null, steps_total: number | null, seconds_left: number | null, preview: Preview | null,
 *   losses?: Record<string, number> | null,
 *   error: string, error_code: string, created_at: string, started_at: string | null, finished_at: string | null,
 *   timings: Record<string, number>}} Job
 * @typedef {{id: string, title: string, width: number, height: number, created_at: string, edit_url: string,
 *   versions: Version[], jobs: Job[], draft: Draft | null, batches: PastBatch[],
 *   team: {id: string, name: string} | null,
 *   may: {edit: boolean, review: boolean, delete: boolean, share: boolean}}} Picture
 * @typedef {{version: string, url: string, updated_at: string}} Draft
 * @typedef {{id: string, source: string, mask_url: string, created_at: string, jobs: string[],
 *   results: string[]}} PastBatch
 * @typedef {{batch: string, source: string, mask_url: string, created_at: string, jobs: Job[]}} Batch
 * @typedef {{id: string, title: string, width: number, height: number, versions: number, thumb_url: string,
 *   page_url: string, edit_url: string, changed_at: string, trashed_at: string | null, tags: string[],
 *   favourite: boolean, review: "open" | "approved" | "changes"}} PictureCard
 * @typedef {{id: string, name: string, username: string}} Person
 * @typedef {{version: string, reviewer: Person | null, state: "approved" | "changes", note: string, decided_at: string}} Verdict
 * @typedef {{id: string, version: string, thread: string | null, author: Person | null, text: string,
 *   spot: [number, number] | null, mentions: string[], created_at: string, edited_at: string | null,
 *   settled_at: string | null}} Comment
 * @typedef {{status: "open" | "approved" | "changes", verdicts: Verdict[], comments: Comment[],
 *   scores: {version: string, wins: number, votes: number}[], people: Person[]}} Reviews
 * @typedef {{id: string, kind: string, text: string, url: string, created_at: string, read: boolean}} Notice
 * @typedef {{picture: Picture, models: Model[], abilities: {select: string[]},
 *   urls: {api: string, socket: string, home: string, pictures: string}}} Boot
 */

export {};
