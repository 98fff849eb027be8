const { check } = require('./check.cjs');

void check(require('sluice-client'));
