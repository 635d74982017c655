// SPDX-License-Identifier: Apache-2.0
#include "CGodwitSQLite.h"
#include <stddef.h>

int godwit_no_checkpoint_on_close(sqlite3 *db) {
    int on = 0;
    int code = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    return code != SQLITE_OK ? code : on == 1 ? SQLITE_OK : SQLITE_ERROR;
}

static int count(void *frames, sqlite3 *db, const char *name, int pages) {
    (void)db;
    (void)name;
    *(int *)frames = pages;
    return SQLITE_OK;
}

void godwit_count_wal_frames(sqlite3 *db, int *frames) {
    sqlite3_wal_hook(db, count, frames);
}
