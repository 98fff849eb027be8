// Package sluicepb is the contract sluice.v1 itself, generated from proto/sluice/v1: for tests that play the daemon, and
// for its AdminService. Apps use package sluice.
package sluicepb
