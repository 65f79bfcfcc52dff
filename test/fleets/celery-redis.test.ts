import { inject, test } from 'vitest'
import { coreStories, moreStories } from './celery-stories.ts'

coreStories(() => inject('redis'), test.concurrent)
moreStories(() => inject('redis'), test.concurrent)
