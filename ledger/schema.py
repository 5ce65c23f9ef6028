"""The tables of a ledger file (docs/format.md section 9.2)."""

VERSION = 1
APPLICATION_ID = 0x504E5231
"""``PNR1``: what `file` and we know a ledger file by."""

NUMBER_BITS = 32
"""An entry's row id is its log's row << 32 | its number, so that a range is a range of row ids."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    author BLOB NOT NULL,
    incarnation BLOB NOT NULL,
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    cover BLOB NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    close_size INTEGER,
    close_root BLOB,
    fork_index INTEGER,
    counts INTEGER,
    UNIQUE (author, incarnation)
);
CREATE TABLE checkpoint (
    log INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    signature BLOB NOT NULL,
    mldsa44 BLOB,
    PRIMARY KEY (log, size)
) WITHOUT ROWID;
CREATE TABLE node (
    log INTEGER NOT NULL,
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (log, level, position)
) WITHOUT ROWID;
CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE kind (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    thing INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    action INTEGER NOT NULL,
    time INTEGER NOT NULL,
    follows BLOB,
    digest BLOB NOT NULL,
    payload BLOB
);
CREATE INDEX entry_thing ON entry (thing);
CREATE INDEX entry_special ON entry (action) WHERE action > 1;
CREATE TABLE latest (
    thing INTEGER NOT NULL,
    log INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (thing, log)
) WITHOUT ROWID;
CREATE TABLE follow (
    thing INTEGER NOT NULL,
    author BLOB NOT NULL,
    incarnation BLOB NOT NULL,
    number INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    PRIMARY KEY (thing, author, incarnation, number, leaf)
) WITHOUT ROWID;
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY,
    log INTEGER NOT NULL,
    what TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (log, what, data)
);
CREATE TABLE file (entry INTEGER PRIMARY KEY);
CREATE TABLE pack (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
CREATE TABLE blob (
    name BLOB PRIMARY KEY,
    pack INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blob_pack ON blob (pack);
CREATE TABLE lack (
    name BLOB NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (name, entry)
) WITHOUT ROWID;
CREATE INDEX lack_entry ON lack (entry);
"""

TIME_INDEX = "CREATE INDEX IF NOT EXISTS entry_time ON entry (time)"
"""Made when somebody first asks for entries by time: it costs every put a twentieth."""
