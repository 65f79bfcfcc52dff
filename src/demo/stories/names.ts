/** What `holdfast demo` can tell. In a file of its own: the help needs no more of them. */
export const STORY_NAMES = ['taskmaster', 'offenders', 'dead-script', 'two-deploys', 'rollback', 'drop-column'] as const

export type StoryName = (typeof STORY_NAMES)[number]
