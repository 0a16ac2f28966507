#!/usr/bin/env node
import './small-heap.ts';

// Loaded only when the heap is told to stay small: loading alone would make it grow.
await import('./run-agent.ts');
