import { inject, test } from 'vitest'
import { coreStories } from './celery-stories.ts'

// One after the other: the gate speaks to every worker of the broker.
coreStories(() => inject('rabbitmq'), test)
