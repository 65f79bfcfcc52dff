// Loaded before a worker of the demo with `node --import`: when whoever started it is gone, nobody would ever stop it.
process.on('disconnect', () => process.exit(1))
