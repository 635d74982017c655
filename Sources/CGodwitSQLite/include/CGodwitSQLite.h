// SPDX-License-Identifier: Apache-2.0
// What Swift can't say to SQLite: variadic calls, and a hook that only counts.
#pragma once
#include <sqlite3.h>

/// Keeps the close of the last connection from checkpointing outside the writer lock.
int godwit_no_checkpoint_on_close(sqlite3 *db);

/// Replaces automatic checkpoints by a count: every commit stores the frames of the WAL in *frames,
/// which must outlive the connection.
void godwit_count_wal_frames(sqlite3 *db, int *frames);
