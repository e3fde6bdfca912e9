/**
 * Loaded before every spec. Owns process-wide settings of the test run and nothing else: no fixtures, no hooks.
 * Stack traces are mapped back to the TypeScript sources here, because the node option for it costs every child process 0.2 s.
 */
process.setSourceMapsEnabled(true);
